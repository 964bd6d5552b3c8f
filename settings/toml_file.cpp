#include "settings/toml_file.h"

#include <toml++/toml.h>

#include <cstddef>

#include "process/small_file.h"

namespace weir {
namespace {

constexpr std::size_t kFileBytesMax = 4 << 20;

std::string source_of(const std::string& path, const toml::source_region& region) {
  return path + ":" + std::to_string(region.begin.line);
}

std::string name_of(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array of other things than strings";
    case toml::node_type::floating_point:
      return "a fraction";
    default:
      return "a date or time";
  }
}

TomlEntry make_entry(const std::string& path, const toml::key& key, const toml::node& node) {
  TomlEntry entry{std::string(key.str()), source_of(path, key.source()), TomlEntry::Type::kOther, {}};
  if (const auto* text = node.as_string()) {
    entry.type = TomlEntry::Type::kString;
    entry.values.push_back(text->get());
  } else if (const auto* number = node.as_integer()) {
    entry.type = TomlEntry::Type::kInteger;
    entry.values.push_back(std::to_string(number->get()));
  } else if (const auto* boolean = node.as_boolean()) {
    entry.type = TomlEntry::Type::kBoolean;
    entry.values.emplace_back(boolean->get() ? "true" : "false");
  } else if (const auto* array = node.as_array();
             array != nullptr && (array->empty() || array->is_homogeneous<std::string>())) {
    entry.type = TomlEntry::Type::kStrings;
    for (const auto& item : *array) entry.values.push_back(item.as_string()->get());
  } else {
    entry.values.push_back(name_of(node.type()));
  }
  return entry;
}

TomlTable make_table(const std::string& path, const toml::table& table) {
  TomlTable result{source_of(path, table.source()), {}};
  for (const auto& [key, node] : table) result.entries.push_back(make_entry(path, key, node));
  return result;
}

}  // namespace

Result<TomlFile> read_toml_file(const std::string& path) {
  const auto text = read_small_file(path, kFileBytesMax);
  if (!text) return text.error();
  try {
    const toml::table parsed = toml::parse(*text, path);
    TomlFile file;
    file.top.source = path;
    for (const auto& [key, node] : parsed) {
      if (!node.is_array_of_tables()) {
        file.top.entries.push_back(make_entry(path, key, node));
        continue;
      }
      for (const auto& item : *node.as_array()) {
        file.tables[std::string(key.str())].push_back(make_table(path, *item.as_table()));
      }
    }
    return file;
  } catch (const toml::parse_error& error) {
    return Error{source_of(path, error.source()) + ": is not TOML: " + std::string(error.description())};
  }
}

}  // namespace weir
