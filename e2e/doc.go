// Package e2e runs the real binary: a broker with the shipped permissions, three acceptors, two proposers and two learners
// as processes of their own, which tests kill, pause and start again. It is behind the build tag e2e, because it takes
// minutes; `make check` runs it.
package e2e
