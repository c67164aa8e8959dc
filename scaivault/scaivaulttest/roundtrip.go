// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"syscall"
	"time"
)

// memoryAddr stands for the server in errors and hooks of the in-memory transport.
type memoryAddr string

func (memoryAddr) Network() string  { return "tcp" }
func (a memoryAddr) String() string { return string(a) }

// memoryClient is the address that a server sees in memory (RFC 5737, for documentation).
const memoryClient = "192.0.2.1:1234"

// RoundTripper returns a transport that hands requests to the server in memory,
// whatever their host. It opens no socket and leaves no goroutine behind. It fires
// the hooks of net/http/httptrace in the order of net/http, takes gzip for callers who
// do not say what they take, as net/http does, and each request has a connection of its
// own. While the server is down or closed it fails like a refused
// dial, with a *net.OpError of Op "dial" around syscall.ECONNREFUSED, after GetConn.
func (h *host) RoundTripper() http.RoundTripper { return memoryTransport{h} }

type memoryTransport struct{ host *host }

// RoundTrip implements http.RoundTripper.
func (t memoryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL == nil || req.Header == nil || req.URL.Host == "" {
		closeBody(req)
		return nil, errors.New("scaivaulttest: request without URL, host or header")
	}
	ctx := req.Context()
	if ctx.Err() != nil {
		closeBody(req)
		return nil, context.Cause(ctx)
	}
	up, ok := t.host.enter()
	if !ok {
		closeBody(req)
		return nil, refusedDial(req)
	}
	body, err := sendRequest(req)
	if err != nil {
		t.host.leave()
		return nil, err
	}
	// The handler gets a context of the server: a real one would not see the values
	// in the client's, for instance its httptrace hooks.
	handlerCtx, cancel := context.WithCancel(up)
	stop := context.AfterFunc(ctx, cancel)
	answer := newMemoryAnswer(req, up, cancel)
	incoming := incomingRequest(handlerCtx, req, body)
	asked := askForGzip(incoming)
	go func() {
		defer t.host.leave()
		defer cancel()
		defer stop()
		answer.run(func() { t.host.serve(up, answer, incoming) })
	}()
	res, err := answer.await()
	if err == nil && asked {
		unzip(res)
	}
	return res, err
}

// sendRequest fires the hooks of a request on its way out and takes its body, as
// net/http would put it on the wire whether or not the server reads it.
func sendRequest(req *http.Request) ([]byte, error) {
	trace := httptrace.ContextClientTrace(req.Context())
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(req.URL.Host)
	}
	if trace != nil && trace.GotConn != nil {
		conn, _ := net.Pipe()
		trace.GotConn(httptrace.GotConnInfo{Conn: conn})
	}
	if trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	body, err := takeBody(req)
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
	return body, err
}

func takeBody(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	ctx := req.Context()
	stop := context.AfterFunc(ctx, func() { _ = req.Body.Close() }) // releases a Read that waits
	defer stop()
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err == nil && req.ContentLength > 0 && int64(len(body)) != req.ContentLength {
		err = fmt.Errorf("scaivaulttest: ContentLength=%d with body length %d", req.ContentLength, len(body))
	}
	return body, err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// incomingRequest is req as a server would see it.
func incomingRequest(ctx context.Context, req *http.Request, body []byte) *http.Request {
	in := req.Clone(ctx)
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	in.RequestURI = req.URL.RequestURI()
	in.URL = &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	if in.URL.Path == "" {
		in.URL.Path = "/"
	}
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if in.Method == "" {
		in.Method = http.MethodGet
	}
	if user := req.URL.User; user != nil && in.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		in.SetBasicAuth(user.Username(), password)
	}
	if _, given := in.Header["User-Agent"]; !given {
		in.Header.Set("User-Agent", "Go-http-client/1.1") // as net/http does
	}
	in.RemoteAddr = memoryClient
	in.Body, in.ContentLength, in.GetBody = http.NoBody, int64(len(body)), nil
	if len(body) > 0 {
		in.Body = io.NopCloser(bytes.NewReader(body))
	}
	return in
}

// refusedDial is the error of a connection to a port on which nothing listens.
func refusedDial(req *http.Request) error {
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GetConn != nil {
		trace.GetConn(req.URL.Host)
	}
	return &net.OpError{
		Op: "dial", Net: "tcp", Addr: memoryAddr(req.URL.Host),
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
	}
}

// resetRead is the error of a connection that the server's end has cut.
func resetRead(host string) error {
	return &net.OpError{
		Op: "read", Net: "tcp", Addr: memoryAddr(host),
		Err: os.NewSyscallError("read", syscall.ECONNRESET),
	}
}

// response is the head of an answer, as net/http would hand it out.
func response(req *http.Request, status int, header http.Header, length int64, body io.ReadCloser) *http.Response {
	if header.Get("Date") == "" {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        header,
		Body:          body,
		ContentLength: length,
		Request:       req,
	}
}
