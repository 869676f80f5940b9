package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// differences says for people how two things of one kind differ, as the API shows them.
func differences(was, now any) ([]string, error) {
	old, err := flat(was)
	if err != nil {
		return nil, err
	}
	new, err := flat(now)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(merged(old, new))) {
		if old[name] != new[name] {
			list = append(list, fmt.Sprintf("%s: %s → %s", name, cmp.Or(old[name], "none"), cmp.Or(new[name], "none")))
		}
	}
	return list, nil
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// flat has the parts of a thing by their places: limits.storage, columns.status.
func flat(thing any) (map[string]string, error) {
	raw, err := json.Marshal(thing)
	if err != nil {
		return nil, err
	}
	var it item
	if err := decode(raw, &it); err != nil {
		return nil, err
	}
	parts := map[string]string{}
	it.flatten("", parts)
	return parts, nil
}

func (it item) flatten(at string, parts map[string]string) {
	for name, value := range it {
		switch v := value.(type) {
		case map[string]any:
			item(v).flatten(at+name+".", parts)
			continue
		case []any:
			if list := it.list(name); name == "columns" && len(list) > 0 {
				for _, column := range list {
					parts["field "+column.text("as")] = strings.TrimSpace(fmt.Sprintf("column %q %s", column.text("title"), column.text("mask")))
				}
				continue
			}
		}
		if text := it.text(name); text != "" && !reflect.ValueOf(value).IsZero() {
			parts[at+name] = text
		}
	}
}
