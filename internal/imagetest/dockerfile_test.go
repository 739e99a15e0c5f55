package imagetest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// stage is one part of a Dockerfile, from FROM to FROM.
type stage struct {
	name, base string
	steps      []step
}

// step is one instruction: RUN, and what follows.
type step struct{ word, rest string }

var blanks = regexp.MustCompile(`[ \t]+`)

// readDockerfile takes a Dockerfile apart. It knows the instructions that ours use,
// and refuses others.
func readDockerfile(path string) ([]*stage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var stages []*stage
	for _, line := range instructions(string(text)) {
		parts := blanks.Split(line, 2)
		word, rest := parts[0], ""
		if len(parts) == 2 {
			rest = strings.TrimSpace(parts[1])
		}
		switch word {
		case "FROM":
			fields := strings.Fields(strings.TrimPrefix(rest, "--platform=$BUILDPLATFORM "))
			s := &stage{base: fields[0]}
			if len(fields) == 3 && fields[1] == "AS" {
				s.name = fields[2]
			} else if len(fields) != 1 {
				return nil, fmt.Errorf("%s: FROM %s", path, rest)
			}
			stages = append(stages, s)
		case "WORKDIR", "COPY", "RUN", "ARG", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "LABEL":
			if len(stages) == 0 {
				return nil, fmt.Errorf("%s: %s before FROM", path, word)
			}
			s := stages[len(stages)-1]
			s.steps = append(s.steps, step{word, rest})
		default:
			return nil, fmt.Errorf("%s: instruction %q is unknown here", path, word)
		}
	}
	return stages, nil
}

// instructions joins continued lines, and leaves comments out.
func instructions(text string) []string {
	var all []string
	open := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part, continued := strings.CutSuffix(line, `\`)
		if open {
			all[len(all)-1] += strings.TrimSpace(part)
		} else {
			all = append(all, strings.TrimSpace(part))
		}
		if open = continued; open {
			all[len(all)-1] += " "
		}
	}
	return all
}

// words reads the JSON form of a command, the only one in which no shell is needed.
func words(rest string) ([]string, error) {
	var list []string
	if err := json.Unmarshal([]byte(rest), &list); err != nil {
		return nil, fmt.Errorf("%s: not in the form that needs no shell: %w", rest, err)
	}
	return list, nil
}

// assignments reads NAME=value and NAME="value with blanks".
func assignments(rest string, env map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`([\w.]+)=("[^"]*"|\S*)`).FindAllStringSubmatch(rest, -1) {
		all[m[1]] = os.Expand(strings.Trim(m[2], `"`), func(name string) string { return env[name] })
	}
	return all
}

// find returns a stage by its name, or the last.
func find(stages []*stage, name string) (*stage, error) {
	for _, s := range stages {
		if s.name == name {
			return s, nil
		}
	}
	if name == "" && len(stages) > 0 {
		return stages[len(stages)-1], nil
	}
	return nil, fmt.Errorf("there is no stage %q", name)
}

// inside is a path of an image, below the folder that stands for its root.
func inside(root, path string) string { return filepath.Join(root, filepath.Clean("/"+path)) }
