package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// layout says which CPUs run what. Both are empty on a machine with one CPU.
type layout struct {
	server, load []int
}

// layoutVar hands the layout to this program when it starts itself again, pinned.
const layoutVar = "SALLYPORT_BENCH_CPUS"

// pinSelf gives the first CPU to the server under test and the others to the load
// generator and the mock vendor. It starts this program again on its own CPUs,
// so that the Go runtime sees from its start how many it has.
func pinSelf() (layout, error) {
	if value := os.Getenv(layoutVar); value != "" {
		server, load, _ := strings.Cut(value, ";")
		var l layout
		var err error
		if l.server, err = parseCPUs(server); err != nil {
			return layout{}, err
		}
		l.load, err = parseCPUs(load)
		return l, err
	}
	cpus, err := availableCPUs()
	if err != nil || len(cpus) < 2 {
		return layout{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return layout{}, err
	}
	env := append(os.Environ(), layoutVar+"="+formatCPUs(cpus[:1])+";"+formatCPUs(cpus[1:]))
	return layout{}, execOn(cpus[1:], append([]string{self}, os.Args[1:]...), env)
}

// peer is a connection of the load generator or the mock vendor: one that does not sleep, where that takes no CPU time from
// the server under test.
func peer(conn net.Conn) (net.Conn, error) {
	if _, load, _ := strings.Cut(os.Getenv(layoutVar), ";"); load == "" {
		return conn, nil
	}
	return awake(conn)
}

// runPinned is the child that becomes "CPUS PROGRAM ARGUMENTS...".
func runPinned(args []string) error {
	if len(args) < 2 {
		return errors.New("pinned: want CPUs and a program")
	}
	cpus, err := parseCPUs(args[0])
	if err != nil {
		return err
	}
	if err := dieWithParent(); err != nil {
		return err
	}
	return execOn(cpus, args[1:], os.Environ())
}

func formatCPUs(cpus []int) string {
	texts := make([]string, len(cpus))
	for i, cpu := range cpus {
		texts[i] = strconv.Itoa(cpu)
	}
	return strings.Join(texts, ",")
}

func parseCPUs(list string) ([]int, error) {
	var cpus []int
	for text := range strings.SplitSeq(list, ",") {
		cpu, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("CPU list %q: %w", list, err)
		}
		cpus = append(cpus, cpu)
	}
	return cpus, nil
}

// process is a child, ready to answer at addr.
type process struct {
	addr string
	cmd  *exec.Cmd
	done chan struct{}
}

// startProcess starts a program on the given CPUs, or anywhere when there are none.
func startProcess(cpus []int, dir string, stdout, stderr io.Writer, argv ...string) (*process, error) {
	if len(cpus) > 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		argv = append([]string{self, "pinned", formatCPUs(cpus)}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	// Not the user's: a database that is there is opened, and then every call is recorded in it.
	cmd.Env = append(os.Environ(), "SALLYPORT_STATE_DIR="+dir)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its output
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the process to end, and makes it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended
	select {
	case <-p.done:
	case <-time.After(time.Minute): // a gateway writes its rows, and its profile
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// startPart starts one of this program's own parts and waits for its address.
func startPart(cpus []int, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	reader, writer := io.Pipe()
	defer reader.Close()
	p, err := startProcess(cpus, "", writer, os.Stderr, append([]string{self}, args...)...)
	if err != nil {
		return nil, err
	}
	go func() {
		<-p.done
		writer.CloseWithError(errors.New("ended before it listened"))
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	p.addr = strings.TrimSpace(strings.TrimPrefix(line, "listening "))
	return p, nil
}

// startGateway starts the gateway, a binary and its flags, with a configuration and waits until it answers.
// Its files and its log go to dir.
func startGateway(ctx context.Context, cpus []int, dir, config string, argv ...string) (*process, error) {
	file, logFile := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "log")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	argv = append(argv, "--config", file, "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	p, err := startProcess(cpus, dir, log, log, argv...)
	if err != nil {
		return nil, err
	}
	p.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := p.ready(ctx); err != nil {
		p.stop()
		text, _ := os.ReadFile(logFile) // the log is a help, not a must
		return nil, fmt.Errorf("%s: %w\n%s", argv[0], err, text[max(0, len(text)-4096):])
	}
	return p, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// ready waits until the gateway says that it lives.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/health/liveliness", http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(response.Status)
		}
		select {
		case <-p.done:
			return errors.New("ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
