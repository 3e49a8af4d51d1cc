package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// redisServer is the server that the gateway keeps answers in for one scenario. It is not under test.
const redisServer = "redis-server"

// startRedis starts a server that keeps nothing on disk, on the CPUs of the load.
func startRedis(ctx context.Context, cpus []int, dir string) (*process, error) {
	binary, err := exec.LookPath(redisServer)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(cpus, dir, io.Discard, os.Stderr, binary, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", dir)
	if err != nil {
		return nil, err
	}
	p.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for {
		if _, err = redisCommands(p.addr); err == nil {
			return p, nil
		}
		select {
		case <-p.done:
			return nil, errors.New(redisServer + " ended before it was ready")
		case <-ctx.Done():
			p.stop()
			return nil, fmt.Errorf("%s: %w", redisServer, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// redisCommands is how many commands the server has served, this one not counted.
func redisCommands(addr string) (int64, error) {
	const patience = 5 * time.Second
	conn, err := net.DialTimeout("tcp4", addr, patience)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, "INFO stats\r\n"); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "total_commands_processed:"); ok {
			return strconv.ParseInt(n, 10, 64)
		}
		if strings.HasPrefix(lines.Text(), "-") {
			return 0, errors.New(lines.Text())
		}
	}
	return 0, errors.Join(errors.New("INFO says nothing of commands"), lines.Err())
}
