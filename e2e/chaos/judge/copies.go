package judge

import "fmt"

// Same holds two copies of one log against each other. part says that b may end earlier.
func Same(nameA string, a []string, nameB string, b []string, part bool) error {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Errorf("offset %d: %s has %q, %s has %q", i+1, nameA, a[i], nameB, b[i])
		}
	}
	if len(b) > len(a) || !part && len(b) < len(a) {
		return fmt.Errorf("%s has %d entries, %s has %d", nameA, len(a), nameB, len(b))
	}
	return nil
}
