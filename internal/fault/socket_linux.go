package fault

import (
	"os"
	"syscall"
)

// bindTCP takes a free TCP port of an address and does not listen on it:
// nobody else gets the port, and whoever dials it is refused.
func bindTCP(ip [4]byte) (*socket, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &socket{fd: fd}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ip}); err != nil {
		_ = s.Close()
		return nil, os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		_ = s.Close()
		return nil, os.NewSyscallError("getsockname", err)
	}
	s.port = uint16(name.(*syscall.SockaddrInet4).Port)
	return s, nil
}

// Close gives the port back.
func (s *socket) Close() error { return os.NewSyscallError("close", syscall.Close(s.fd)) }

// listen listens with the shortest queue that there is.
func (s *socket) listen() error { return os.NewSyscallError("listen", syscall.Listen(s.fd, 0)) }
