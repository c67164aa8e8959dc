// SPDX-License-Identifier: Apache-2.0

package coarse

// Running tells whether a timer will call the clock.
func (c *Clock) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer == nil || !c.timer.Stop() {
		return false
	}
	c.timer.Reset(c.resolution)
	return true
}
