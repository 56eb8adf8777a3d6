// Package configs is the typed configuration of a paxosd process: its keys, their defaults, and the checks that
// refuse an impossible one. The ready-to-run files lie beside it.
//
// Three sources set a key, in rising order: the YAML file, the environment (PAXOSD_BROKER_URLS for broker.urls), the
// command line (--set broker.urls=… or a flag of its own). Every key is one row of a table (fields.go), from which the file's
// reader, the environment's names, the flags and example.yaml all follow: a key cannot exist in one and be missing in another.
//
// Nothing is guessed: an unknown key, a key given twice, a value of the wrong form and an impossible combination are each an
// error that names the key, where it was set (file and line, variable or flag), and what to do. All of them are told at once.
//
// The file is YAML without its traps: one document, plain maps, lists and scalars; anchors, aliases, tags and merge keys are
// refused. github.com/goccy/go-yaml parses it, because its syntax tree keeps positions, comments and duplicate keys; the
// decoding by reflection that it also has is not used.
//
// What it is not: it opens no file but the configuration's own (whether a data folder exists is its store's business), connects
// to nothing, and keeps no state: there is no global configuration.
package configs

//go:generate go test . -update
