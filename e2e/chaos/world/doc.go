// Package world makes a small world of its own for processes: network namespaces with links that can be cut, file systems that lose
// what was not synced, a TCP proxy that delays, stalls and resets. All of it is private to one process tree and ends with it, however
// that ends: nothing of the machine outside is touched. It needs Linux, root, and the programs ip, mkfs.ext4 and mount.
package world
