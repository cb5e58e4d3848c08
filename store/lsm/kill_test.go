package lsm

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/storetest"
)

var (
	kills    = flag.Int("kills", 5, "how often TestKilled kills the process that writes")
	killSeed = flag.Uint64("kills.seed", 1, "when TestKilled kills")
)

// Where a process that is there to be killed finds its store, and where its
// callers go on.
const (
	killFolder = "WAYMARK_KILL_FOLDER"
	killFrom   = "WAYMARK_KILL_FROM"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(killFolder); folder != "" {
		victim(folder, strings.Fields(os.Getenv(killFrom)))
		return
	}
	os.Exit(m.Run())
}

// victim writes and serves until it is killed, and says on its output what was
// acknowledged.
func victim(folder string, from []string) {
	s, err := Open(folder, store.Limits{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	ctx := context.Background()
	var callers sync.WaitGroup
	for caller := range from {
		var round int
		_, _ = fmt.Sscan(from[caller], &round) // written by the test itself
		callers.Go(func() { write(ctx, s, caller, round) })
		callers.Go(func() { serve(ctx, s, caller, round) })
	}
	callers.Wait()
}

func write(ctx context.Context, s store.Store, caller, round int) {
	for ; ; round++ {
		if err := storetest.Write(ctx, s, caller, round); err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Printf("acked %d %d\n", caller, round)
	}
}

// serve asks for what the caller wrote, and now and then forgets the expired,
// of which there are none.
func serve(ctx context.Context, s store.Store, caller, round int) {
	for n := 0; ; n++ {
		if _, err := s.ProvidersOf(ctx, []byte(fmt.Sprint(caller, " ", n%(round+100))), 0, 20); err != nil {
			fmt.Println("error", err)
			return
		}
		if n%10_000 == 0 {
			_, _ = s.Expire(ctx, mono.Wall(n)) // if it fails, so does a write
		}
	}
}

// TestKilled kills a process that provides and serves, with SIGKILL, at random
// moments, and opens its store again each time: nothing that was acknowledged
// is lost. Short here; .ci/full crash does it two hundred times.
func TestKilled(t *testing.T) {
	t.Logf("seed %d: repeat with -kills.seed %d -kills %d", *killSeed, *killSeed, *kills)
	r := rand.New(rand.NewPCG(*killSeed, 3))
	folder, acked := t.TempDir(), []int{-1, -1, -1, -1, -1, -1}
	total := 0
	for n := range *kills {
		total += killOnce(t, folder, acked, r.IntN(400))
		s, err := Open(folder, store.Limits{})
		if err != nil {
			t.Fatalf("kill %d: %v", n, err)
		}
		for caller := range acked {
			if err := storetest.Holds(context.Background(), s, caller, acked[caller]); err != nil {
				t.Fatalf("kill %d: %v", n, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("killed %d times, %d acknowledged writes, none lost", *kills, total)
}

// killOnce starts a victim, kills it after so many acknowledgements, notes all
// that it has said, and returns how much that was.
func killOnce(t *testing.T, folder string, acked []int, after int) (said int) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var from []string
	for _, round := range acked {
		from = append(from, fmt.Sprint(round+1))
	}
	victim := exec.CommandContext(ctx, os.Args[0])
	victim.Env = append(os.Environ(), killFolder+"="+folder, killFrom+"="+strings.Join(from, " "))
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	if after < 40 { // a tenth of them while they open the store
		_ = victim.Process.Kill()
	}
	said = listen(t, out, acked, func(n int) {
		if n == after {
			_ = victim.Process.Kill()
		}
	})
	_ = victim.Wait() // it was killed, and says so
	if ctx.Err() != nil {
		t.Fatalf("the victim said only %d of %d things", said, after)
	}
	return said
}

func listen(t *testing.T, out io.Reader, acked []int, heard func(n int)) (said int) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var caller, round int
		if _, err := fmt.Sscanf(lines.Text(), "acked %d %d", &caller, &round); err != nil {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Fatal(lines.Text())
			}
			continue // cut off by the kill
		}
		acked[caller] = max(acked[caller], round)
		said++
		heard(said)
	}
	return said
}
