package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Post sends body as JSON, with the token if there is one, and decodes the answer into out.
func Post(ctx context.Context, url, token string, body, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s: %s", url, resp.Status, answer)
	}
	return json.Unmarshal(answer, out)
}

// Login returns a token for the demo administrator.
func Login(ctx context.Context, base string) (string, error) {
	var out struct {
		AccessToken string `json:"access_token"`
	}
	in := map[string]string{"username": "admin", "password": "admin123"}
	err := Post(ctx, base+"/auth/login", "", in, &out)
	return out.AccessToken, err
}
