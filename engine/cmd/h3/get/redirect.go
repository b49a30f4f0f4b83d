package get

import (
	"zigh3/engine/cmd/h3/cli"
)

// redirects reports whether a status is one of a redirect.
func redirects(status int) bool {
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308
}

// credentials are the fields that are for one origin alone.
var credentials = []string{"authorization", "cookie", "proxy-authorization", "host"}

// ofBody are those about a body.
var ofBody = []string{"content-type", "content-length", "content-encoding", "content-language", "content-location"}

// redirect decides what is asked for next, as fetch does it (Fetch, HTTP-redirect fetch).
func (t *transfer) redirect() {
	if t.redirects++; t.redirects > t.o.maxRedirects {
		t.failure = cli.Fail(cli.Redirects, "more than %d redirects", t.o.maxRedirects)
		return
	}
	next, err := t.target.Follow(t.answer.fields.Get("location"))
	if err != nil {
		t.failure = err
		return
	}
	status := t.answer.status
	if (status == 301 || status == 302) && t.method == "POST" || status == 303 && t.method != "GET" && t.method != "HEAD" {
		t.method = "GET"
		t.body.drop()
		t.fields = t.fields.Without(ofBody...)
	}
	if !t.target.SameOrigin(next) {
		t.fields = t.fields.Without(credentials...)
	}
	if !t.body.again() {
		t.failure = cli.Fail(cli.Rewind, "the server redirects a request whose body can be read but once")
		return
	}
	t.next = next
}
