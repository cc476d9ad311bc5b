package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"iacontinu/cmd/internal/service"
	"iacontinu/internal/ml"
)

// userList prints the accounts.
func userList(c *call, args []string) error {
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	return c.onExisting(func(p *service.Platform) error {
		users, err := p.Store.Users(c.ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tUSERNAME\tROLE\tEMAIL\tACTIVE\tLAST LOGIN")
		for _, u := range users {
			last := "never"
			if !u.LastLogin.IsZero() {
				last = u.LastLogin.UTC().Format("2006-01-02 15:04:05")
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%t\t%s\n", u.ID, u.Username, u.Role, u.Email, u.Active, last)
		}
		return w.Flush()
	})
}

// userAdd makes an account.
func userAdd(c *call, args []string) error {
	role := c.flags.String("role", string(ml.RoleUser), "user or admin")
	email := c.flags.String("email", "", "address (NAME@localhost)")
	names, err := c.parse(args, 1, 1)
	if err != nil {
		return err
	}
	if *email == "" {
		*email = names[0] + "@localhost"
	}
	return c.onFolder(func(p *service.Platform) error {
		password, err := c.password()
		if err != nil {
			return err
		}
		accounts, err := p.Accounts(c.ctx)
		if err != nil {
			return err
		}
		u, err := accounts.Register(c.ctx, ml.User{Username: names[0], Email: *email, Role: ml.Role(*role), Active: true}, password)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "user %s has role %s\n", u.Username, u.Role)
		return p.Audit(c.ctx, "user_created", fmt.Sprintf("created user %s with role %s", u.Username, u.Role),
			map[string]any{"username": u.Username, "role": u.Role})
	})
}

// userPasswd sets a password.
func userPasswd(c *call, args []string) error {
	names, err := c.parse(args, 1, 1)
	if err != nil {
		return err
	}
	return c.onExisting(func(p *service.Platform) error {
		user, err := p.Store.Credentials(c.ctx, names[0])
		if err != nil {
			return err
		}
		password, err := c.password()
		if err != nil {
			return err
		}
		accounts, err := p.Accounts(c.ctx)
		if err != nil {
			return err
		}
		if err := accounts.SetPassword(c.ctx, user.ID, password); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "password of %s set; their tokens are invalid\n", user.Username)
		return p.Audit(c.ctx, "password_changed", "set the password of user "+user.Username, map[string]any{"username": user.Username})
	})
}

// password reads a password: typed twice at a terminal, else the first line of standard input.
func (c *call) password() (string, error) {
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if line == "" {
			return "", errors.New("no password on standard input")
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	first, err := c.typed(f, "password: ")
	if err != nil {
		return "", err
	}
	second, err := c.typed(f, "once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

func (c *call) typed(f *os.File, prompt string) (string, error) {
	fmt.Fprint(c.err, prompt)
	text, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(c.err)
	return string(text), err
}
