// A TOML file as settings see it: keys with texts. toml++ does the parsing.
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
  std::vector<std::string> values;  // One, but for kStrings; for kOther a word for what it is.
};

struct TomlTable {
  std::string source;
  std::vector<TomlEntry> entries;  // Ordered by key.
};

struct TomlFile {
  TomlTable top;
  std::map<std::string, std::vector<TomlTable>> tables;  // The [[name]] tables, in the file's order.
};

// The error names the file and, where its text is wrong, the line: "path:12: is not TOML: …". What is no
// regular file is refused (process/small_file.h).
Result<TomlFile> read_toml_file(const std::string& path);

}  // namespace weir
