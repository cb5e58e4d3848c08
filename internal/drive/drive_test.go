package drive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asProgram says how this test behaves when it is the program.
const asProgram = "WAYMARK_DRIVE_PROGRAM"

func TestMain(m *testing.M) {
	if how := os.Getenv(asProgram); how != "" {
		os.Exit(program(how))
	}
	goleak.VerifyTestMain(m)
}

// program is a peer of which only the language is real.
func program(how string) int {
	if how == "ends" {
		return 1
	}
	addrs := `["/ip4/127.0.0.1/tcp/1/p2p/Qm"]`
	if how == "homeless" {
		addrs = `[]`
	}
	fmt.Println("a line that is not of the language")
	fmt.Printf("{\"event\":\"ready\",\"peerId\":\"Qm\",\"addrs\":%s}\n", addrs)
	in := bufio.NewScanner(os.Stdin)
	for n := 1; in.Scan(); n++ {
		switch how {
		case "answers":
			fmt.Printf("{\"id\":%d,\"ok\":true,\"ms\":1,\"result\":{\"asked\":%s,\"pid\":%d}}\n", n, in.Text(), os.Getpid())
		case "refuses":
			fmt.Printf("{\"id\":%d,\"ok\":false,\"error\":\"no such thing\"}\n", n)
		case "dies":
			return 3
		}
	}
	return 0
}

func start(t *testing.T, how string) (*Program, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asProgram+"="+how)
	return Start(t.Context(), cmd)
}

func mustStart(t *testing.T, how string) *Program {
	t.Helper()
	p, err := start(t, how)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProgramIsDriven(t *testing.T) {
	p := mustStart(t, "answers")
	if p.ID != "Qm" || len(p.Addrs) != 1 {
		t.Errorf("it says %q, %q", p.ID, p.Addrs)
	}
	var r struct {
		Asked struct {
			ID, TimeoutMs int
			Op, Key       string
		}
		PID int
	}
	err := p.Do(t.Context(), "get", map[string]any{"key": "x"}, 2*time.Second, &r)
	if a := r.Asked; err != nil || a.ID != 1 || a.TimeoutMs != 2000 || a.Op != "get" || a.Key != "x" {
		t.Errorf("%+v, %v", a, err)
	}
	if r.PID != p.PID() {
		t.Errorf("it is process %d, and not %d", r.PID, p.PID())
	}
	if err := p.Do(t.Context(), "refresh", nil, time.Second, nil); err != nil {
		t.Errorf("nobody wants the result: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestARefusalIsHeard(t *testing.T) {
	p := mustStart(t, "refuses")
	defer p.Close()
	if err := p.Do(t.Context(), "get", nil, time.Second, nil); err == nil || err.Error() != "no such thing" {
		t.Errorf("a refusal: %v", err)
	}
}

func TestAProgramThatIsMuteIsGivenUp(t *testing.T) {
	p := mustStart(t, "mute")
	defer p.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Do(ctx, "get", nil, time.Second, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("no answer: %v", err)
	}
	if len(p.wait) != 0 {
		t.Errorf("%d are waited for by nobody", len(p.wait))
	}
}

// A pipe of which nobody reads holds up nobody who has given up, nor those who
// come later.
func TestAProgramThatDoesNotReadIsGivenUp(t *testing.T) {
	out, in := io.Pipe()
	p := &Program{in: in, pen: make(chan struct{}, 1), wait: map[int]chan reply{}, gone: make(chan struct{})}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := p.Do(ctx, "get", nil, time.Second, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody reads: %v", err)
		}
		cancel()
	}
	if len(p.wait) != 0 {
		t.Errorf("%d are waited for by nobody", len(p.wait))
	}
	out.Close() // as Close does to a program's
	p.pen <- struct{}{}
}

func TestAProgramThatDiesIsNoticed(t *testing.T) {
	p := mustStart(t, "dies")
	if err := p.Do(t.Context(), "get", nil, time.Second, nil); !errors.Is(err, ErrEnded) {
		t.Errorf("the dead answered: %v", err)
	}
	if err := p.Close(); err == nil {
		t.Error("it died, and nobody says so")
	}
}

func TestAProgramThatCannotRunIsSaid(t *testing.T) {
	if _, err := Start(t.Context(), exec.Command("./no-such-program")); !errors.Is(err, ErrNotDriven) {
		t.Errorf("one that is not there: %v", err)
	}
	for _, how := range []string{"ends", "homeless"} {
		if _, err := start(t, how); !errors.Is(err, ErrNotDriven) {
			t.Errorf("one that is %s: %v", how, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	self, _ := os.Executable()
	cmd := exec.Command(self, "-test.run=^$", "-test.v")
	if _, err := Start(ctx, cmd); err == nil {
		t.Error("nobody waited, and it is ready")
	}
}
