package price

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits of a cost map that an operator brings.
const (
	MaxMap    = 32 << 20 // bytes
	maxModels = 100_000
	maxKey    = 512
	maxField  = 8 << 10 // bytes of one value
	maxFields = 256
)

// Problem is something of a cost map that was left out.
type Problem struct{ Model, Field, Reason string }

// Error names the model and the field.
func (p Problem) Error() string {
	if p.Field == "" {
		return fmt.Sprintf("cost map: model %q: %s", p.Model, p.Reason)
	}
	return fmt.Sprintf("cost map: model %q: field %q: %s", p.Model, p.Field, p.Reason)
}

// ParseMap makes a table of a cost map in LiteLLM's format: a JSON object with an object for each model. What it cannot
// use of a model is left out and is a Problem; the error says why nothing of the map can be used. The entry sample_spec,
// which describes the format, is skipped.
func ParseMap(raw []byte) (*Table, []Problem, error) {
	if len(raw) > MaxMap {
		return nil, nil, fmt.Errorf("cost map: %d bytes; the limit is %d", len(raw), MaxMap)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, fmt.Errorf("cost map: want a JSON object with an object for each model, as in LiteLLM's "+
			"model_prices_and_context_window.json%s", because(err))
	}
	var lines []string
	var problems []Problem
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("cost map: at byte %d: %w", d.InputOffset(), err)
		}
		key, _ := name.(string) // within an object a token before a value is a string
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, fmt.Errorf("cost map: model %q: %w", clip(key), err)
		}
		if key == "sample_spec" {
			continue
		}
		if len(lines) == maxModels {
			return nil, nil, fmt.Errorf("cost map: more than %d models", maxModels)
		}
		if reason := badKey(key, seen); reason != "" {
			problems = append(problems, Problem{clip(key), "", reason})
			continue
		}
		line, ps := parseModel(key, value)
		problems = append(problems, ps...)
		if line != "" {
			seen[key] = true
			lines = append(lines, line)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, fmt.Errorf("cost map: at byte %d: the object is not closed%s", d.InputOffset(), because(err))
	}
	sortLines(lines)
	head := intern(lines)
	return &Table{head: head, body: strings.Join(append(lines, ""), "\n")}, problems, nil
}

// intern moves sources, which are long and shared by many models, from the lines to the table's header.
func intern(lines []string) (head string) {
	var b strings.Builder
	numbers := map[string]string{}
	for i, line := range lines {
		before, rest, ok := strings.Cut(line, "\tsrc=")
		if !ok {
			continue
		}
		source, after, more := strings.Cut(rest, "\t")
		if numbers[source] == "" {
			numbers[source] = strconv.Itoa(len(numbers))
			fmt.Fprintf(&b, "# src %s: %s\n", numbers[source], source)
		}
		lines[i] = before + "\tsrc=" + numbers[source]
		if more {
			lines[i] += "\t" + after
		}
	}
	return b.String()
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func clip(s string) string { return s[:min(len(s), 100)] }

func badKey(key string, seen map[string]bool) string {
	switch {
	case key == "" || len(key) > maxKey:
		return fmt.Sprintf("a name has from 1 to %d bytes", maxKey)
	case key[0] == '#' || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' }):
		return "a name holds no control characters and does not begin with #"
	case seen[key]:
		return "it is there twice; the first one counts"
	}
	return ""
}

// parseModel writes one model as a line of the table.
func parseModel(key string, raw json.RawMessage) (line string, problems []Problem) {
	fail := func(field, reason string) { problems = append(problems, Problem{clip(key), clip(field), reason}) }
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		fail("", "want an object with the fields of the model")
		return "", problems
	}
	if len(fields) > maxFields {
		fail("", fmt.Sprintf("%d fields; the limit is %d", len(fields), maxFields))
		return "", problems
	}
	columns := []string{key, noWord, noWord}
	var yes, no []byte
	var rest []string
	for name, v := range fields {
		switch {
		case bytes.Equal(v, []byte("null")):
		case name == "litellm_provider" || name == "mode":
			s, err := word(v)
			switch {
			case err != nil:
				fail(name, err.Error())
			case name == "mode":
				columns[2] = s
			default:
				columns[1] = s
			}
		case strings.HasPrefix(name, "supports_") && letter(name[9:]) != 0 && len(v) > 0 && (v[0] == 't' || v[0] == 'f'):
			if v[0] == 't' {
				yes = append(yes, letter(name[9:]))
			} else {
				no = append(no, letter(name[9:]))
			}
		default:
			value, err := fieldValue(name, v)
			if err != nil {
				fail(name, err.Error())
			} else {
				rest = append(rest, codeOf(name)+"="+value)
			}
		}
	}
	if before, _, ok := strings.Cut(key, "/"); ok && columns[1] == before {
		columns[1] = ""
	}
	if columns[2] == "chat" {
		columns[2] = ""
	}
	slices.Sort(yes)
	slices.Sort(no)
	slices.Sort(rest)
	columns = append(columns, rest...)
	if yes != nil {
		columns = append(columns, "+"+string(yes))
	}
	if no != nil {
		columns = append(columns, "-"+string(no))
	}
	return strings.Join(columns, "\t"), problems
}

// noWord stands for a provider or a mode that is not given. An empty provider is the first part of the name, and an empty
// mode is chat.
const noWord = "-"

// word reads a short plain string.
func word(v json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return "", fmt.Errorf("want a string")
	}
	if len(s) > 100 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return "", fmt.Errorf("want a short string without control characters")
	}
	return s, nil
}

// isPrice tells the fields whose value is an amount of money.
func isPrice(name string) bool { return strings.Contains(name, "cost") }

// isCount tells the fields whose value is a number of something.
func isCount(name string) bool {
	return name == "max_tokens" || name == "max_input_tokens" || name == "max_output_tokens" || name == "rpm" || name == "tpm" ||
		name == "output_vector_size" || name == "tool_use_system_prompt_tokens"
}

// fieldValue checks the value of a field and writes it as the table does.
func fieldValue(name string, v json.RawMessage) (string, error) {
	if name == "" || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '=' || r > '~' }) ||
		strings.ContainsAny(name[:1], "+-#") {
		return "", fmt.Errorf("this is no name of a field")
	}
	if len(v) > maxField {
		return "", fmt.Errorf("%d bytes; the limit is %d", len(v), maxField)
	}
	first := v[0]
	switch {
	case name == searchCost:
		return searchValue(v)
	case name == "tiered_pricing":
		if _, err := parseTiers(v); err != nil {
			return "", err
		}
	case name == offPeakCost:
		if _, err := parseOffPeak(v); err != nil {
			return "", err
		}
	case isPrice(name) && first != '{':
		f, err := amount(v)
		if err != nil {
			return "", err
		}
		return number(f), nil
	case isCount(name):
		f, err := amount(v)
		if err != nil || f != math.Trunc(f) || f > 1e15 {
			return "", fmt.Errorf("want a whole number, not %s", shown(v))
		}
		return strconv.FormatInt(int64(f), 10), nil
	case name == "deprecation_date":
		return word(v)
	case first == '[':
		var list []string
		if json.Unmarshal(v, &list) == nil && len(list) > 0 {
			if s, ok := letters(list); ok {
				return "~" + s, nil
			}
		}
	}
	var b bytes.Buffer
	if err := json.Compact(&b, v); err != nil {
		return "", err
	}
	// JSON leaves tabs and line ends out of strings, and compact JSON has none elsewhere.
	return b.String(), nil
}

// amount reads a number that is not negative. Some maps have numbers in quotes, as YAML leaves 3e-7.
func amount(v json.RawMessage) (float64, error) {
	s := string(v)
	if v[0] == '"' {
		if err := json.Unmarshal(v, &s); err != nil {
			return 0, err
		}
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("want a number, not %s", shown(v))
	}
	if f < 0 {
		return 0, fmt.Errorf("want a number that is not negative, not %s", shown(v))
	}
	return f, nil
}

func shown(v json.RawMessage) string { return string(v[:min(len(v), 40)]) }

// number writes a float as short as it can be read back.
func number(f float64) string {
	a := strconv.FormatFloat(f, 'g', -1, 64)
	mantissa, exponent, ok := strings.Cut(a, "e")
	if !ok {
		return a
	}
	sign := exponent[:1]
	if sign == "+" {
		sign = ""
	}
	return mantissa + "e" + sign + strings.TrimLeft(exponent[1:], "0")
}

// searchNames are the members of search_context_cost_per_query, in the order the table has them.
func searchNames() [3]string {
	return [3]string{"search_context_size_low", "search_context_size_medium", "search_context_size_high"}
}

// searchValue writes the three prices of a web search with commas between them. A size that is not there is empty.
func searchValue(v json.RawMessage) (string, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(v, &m); err != nil || m == nil {
		return "", fmt.Errorf("want an object with search_context_size_low, _medium and _high")
	}
	var out [3]string
	for i, name := range searchNames() {
		if m[name] == nil {
			continue
		}
		f, err := amount(m[name])
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		out[i] = number(f)
	}
	return strings.Join(out[:], ","), nil
}

// tier is one entry of tiered_pricing.
type tier struct {
	from    float64
	figures map[string]float64
}

// parseTiers reads tiered_pricing: prices by ranges of prompt length. Entries by other ranges, such as numbers of search
// results, are kept as they are and make no price.
func parseTiers(v []byte) ([]tier, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(v, &list); err != nil {
		return nil, fmt.Errorf("want a list of objects with range and prices")
	}
	var out []tier
	for i, m := range list {
		if m["range"] == nil {
			continue
		}
		var bounds []float64
		if json.Unmarshal(m["range"], &bounds) != nil || len(bounds) == 0 || !(bounds[0] >= 0) {
			return nil, fmt.Errorf("entry %d: range: want two numbers", i)
		}
		t := tier{from: bounds[0], figures: map[string]float64{}}
		for name, raw := range m {
			if !isPrice(name) {
				continue
			}
			f, err := amount(raw)
			if err != nil {
				return nil, fmt.Errorf("entry %d: %s: %w", i, clip(name), err)
			}
			t.figures[name] = f
		}
		out = append(out, t)
	}
	slices.SortStableFunc(out, func(a, b tier) int { return int(min(max(a.from-b.from, -1), 1)) })
	return out, nil
}
