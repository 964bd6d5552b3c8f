// A TOML file as the settings see it: keys with texts. Uses toml++.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proto/result.h"

namespace weir {

struct TomlEntry {
  enum class Type { kString, kInteger, kBoolean, kStrings, kOther };

  std::string key;
  std::string source;  // "weir.toml:12"
  Type type = Type::kOther;
  // One value, or any number for kStrings. For kOther: a word for the value's type.
  std::vector<std::string> values;
};

struct TomlTable {
  std::string source;
  std::vector<TomlEntry> entries;  // Ordered by key.
};

struct TomlFile {
  TomlTable top;
  std::map<std::string, std::vector<TomlTable>> tables;  // The [[name]] tables, in the file's order.
};

// The error names the file and, if its text is wrong, the line: "path:12: is not TOML: …". Refuses anything
// but a regular file (process/small_file.h).
Result<TomlFile> read_toml_file(const std::string& path);

}  // namespace weir
