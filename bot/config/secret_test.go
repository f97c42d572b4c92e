package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.yaml.in/yaml/v4"

	"switchback/bot/config"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const value = "xoxb-hush"
	secret := config.Secret(value)
	held := struct {
		Token  config.Secret
		Old    []config.Secret
		ByName map[string]*config.Secret
	}{secret, []config.Secret{secret}, map[string]*config.Secret{"new": &secret}}

	printed := map[string]string{
		"String":  secret.String(),
		"Println": fmt.Sprintln(secret, &secret, held),
		"error":   fmt.Errorf("refused: %w", errors.Join(fmt.Errorf("token %s", secret), fmt.Errorf("%v", held))).Error(),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%t", "% x", "%10.3s"} {
		printed[verb] = fmt.Sprintf(verb, secret)
		printed["list "+verb] = fmt.Sprintf(verb, held.Old)
		printed["struct "+verb] = fmt.Sprintf(verb, held)
		printed["pointer "+verb] = fmt.Sprintf(verb, &held)
	}
	for name, encode := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal} {
		b, err := encode(map[string]any{"secret": secret, "pointer": &secret, "struct": held})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		printed[name] = string(b)
	}
	var log bytes.Buffer
	logger := zerolog.New(&log)
	logger.Log().
		Interface("a", secret).Any("b", held).Any("c", &secret).Stringer("d", secret).Str("e", secret.String()).
		Fields(map[string]any{"f": secret, "g": held}).Msgf("%v %s", secret, held.Old)
	printed["log"] = log.String()

	for how, s := range printed {
		if strings.Contains(s, "hush") || strings.Contains(strings.ToLower(s), fmt.Sprintf("%x", "hush")) {
			t.Errorf("%s printed the secret: %s", how, s)
		}
		if !strings.Contains(s, "[secret]") && !strings.HasPrefix(how, "pointer") && !strings.HasPrefix(how, "yaml") {
			t.Errorf("%s printed %s, want [secret] in it", how, s)
		}
	}
	if secret.Reveal() != value {
		t.Errorf("Reveal = %q, want %q", secret.Reveal(), value)
	}
}
