// Package pb is the generated code of wire.proto: the bodies of the protocol's messages. Only package messaging
// uses it; everything else speaks package paxos.
package pb

//go:generate go tool -modfile=../../tools/go.mod buf lint
//go:generate go tool -modfile=../../tools/go.mod buf generate
