// Package judge holds what a log contains to what its clients know: what was acknowledged is there once, where it was acknowledged, and
// in its producer's order; what was not is there once at most; and single operations took effect at one instant each between their
// beginning and their end. It also measures how long nothing was acknowledged.
package judge
