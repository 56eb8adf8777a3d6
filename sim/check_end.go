package sim

// finish judges the whole history once all is settled.
func (c *checker) finish() {
	c.linear()
}
