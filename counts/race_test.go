//go:build race

package counts

// raced: the race detector allocates for itself, and everything is slow.
const raced = true

// slack widens the bounds of what is sent again when answers are late.
const slack = 4
