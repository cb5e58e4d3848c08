package testkit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

// Shape says what a cable does to the frames on it, in each direction.
type Shape struct {
	Delay  time.Duration `json:"delay"`  // of every frame
	Jitter time.Duration `json:"jitter"` // up to so much more, without a change of order
	Loss   float64       `json:"loss"`   // the share of frames that get lost, up to 1
	Seed   uint64        `json:"seed"`   // of both
}

// wireEnvironment is how a process is told which interfaces it joins.
const wireEnvironment = "WAYMARK_TESTKIT_WIRE"

// wireNames are the interfaces that a process makes and joins.
type wireNames struct {
	Names [2]string `json:"names"`
	Shape Shape     `json:"shape"`
}

// cable is a process that acts as one: it carries frames between two interfaces,
// late or not at all. Not every kernel has netem; the one thing that this needs
// is the file /dev/net/tun.
type cable struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	errors tail
}

// ShapedHost makes a host whose cable is shaped. It skips the test where no
// process can make an interface.
func (l *Lab) ShapedHost(at Switch, shape Shape, addrs ...netip.Prefix) *Host {
	l.Helper()
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		l.Skip("no cables that delay and lose: ", err)
	} else {
		f.Close()
	}
	ns, err := newNamespace()
	l.must(err)
	h := &Host{lab: l, index: len(l.hosts), ns: ns}
	l.hosts = append(l.hosts, h)
	p := port{name: fmt.Sprintf("h%de0", h.index), at: at, addrs: addrs}
	h.ports = append(h.ports, p)
	far := fmt.Sprintf("t%de0", h.index)
	h.wire, err = l.startCable(wireNames{[2]string{p.name, far}, shape})
	l.must(err)
	l.must(l.wires.ip(
		fmt.Sprintf("link set %s master sw%d up", p.name, at),
		fmt.Sprintf("link set %s netns %d name eth0", far, ns.pid()),
	))
	h.up(0)
	return h
}

// Reshape changes what the host's cable does.
func (h *Host) Reshape(shape Shape) {
	h.lab.Helper()
	h.lab.must(h.wire.reshape(shape))
}

func (l *Lab) startCable(names wireNames) (*cable, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, _ := json.Marshal(names) // it is numbers and texts
	w := &cable{cmd: l.wires.command(self)}
	w.cmd.Env = append(os.Environ(), wireEnvironment+"="+string(text))
	w.cmd.Stderr = &w.errors
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	limit := time.AfterFunc(startTime, func() { w.cmd.Process.Kill() })
	defer limit.Stop()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it says so when both are made
		w.close()
		return nil, fmt.Errorf("testkit: no cable: %s", w.errors.String())
	}
	return w, nil
}

func (w *cable) reshape(s Shape) error { return json.NewEncoder(w.in).Encode(s) }

func (w *cable) close() {
	w.in.Close()
	w.cmd.Wait()
}

// carry is that process.
func carry(text string) (code int) {
	var names wireNames
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		fmt.Fprintln(os.Stderr, wireEnvironment, err)
		return 2
	}
	var ends [2]*os.File
	for i, name := range names.Names {
		f, err := openTap(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		ends[i] = f
	}
	var shape atomic.Pointer[Shape]
	shape.Store(&names.Shape)
	for i := range ends {
		c := &carrier{from: ends[i], to: ends[1-i], shape: &shape, late: make(chan frame, framesUnderWay)}
		c.rng = rand.New(rand.NewPCG(names.Shape.Seed, uint64(i)))
		go c.take()
		go c.hand()
	}
	fmt.Println("up")
	for lines := json.NewDecoder(os.Stdin); ; {
		s := new(Shape)
		if lines.Decode(s) != nil {
			return 0
		}
		shape.Store(s)
	}
}

// framesUnderWay is how many a cable holds; more are lost, as in a full queue.
const framesUnderWay = 4096

// maxFrame is an Ethernet frame with room for a tag.
const maxFrame = 1600

type frame struct {
	due   time.Time
	bytes []byte
}

// carrier is one direction of a cable.
type carrier struct {
	from, to *os.File
	shape    *atomic.Pointer[Shape]
	rng      *rand.Rand
	late     chan frame
}

// take reads frames, and loses some, until there are no more.
func (c *carrier) take() {
	defer close(c.late)
	var last time.Time
	for buf := make([]byte, maxFrame); ; {
		n, err := c.from.Read(buf)
		if err != nil {
			return
		}
		s := c.shape.Load()
		if c.rng.Float64() < s.Loss {
			continue
		}
		due := time.Now().Add(s.Delay + time.Duration(c.rng.Float64()*float64(s.Jitter)))
		if due.Before(last) {
			due = last
		}
		last = due
		select {
		case c.late <- frame{due, append([]byte(nil), buf[:n]...)}:
		default:
		}
	}
}

// hand passes them on when their time has come.
func (c *carrier) hand() {
	for f := range c.late {
		<-time.After(time.Until(f.due))
		_, _ = c.to.Write(f.bytes) // an interface that is down loses it
	}
}
