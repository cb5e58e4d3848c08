//go:build !linux

package bigpages

// look does nothing: other systems choose the size of pages by themselves.
func (m *mover) look() {}
