#include "settings/settings.h"

namespace weir {
namespace {

// `text` for a JSON string. Help texts hold no control characters.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

std::string schema_property(const Setting& row) {
  return '"' + row.name() + "\": {" + row.schema() + ", \"description\": \"" + escaped(row.help()) + "\"}";
}

std::string SettingsTable::schema_properties(const std::set<std::string>& left_out,
                                             std::size_t indent) const {
  std::string result;
  for (const Setting* row : all()) {
    if (left_out.contains(row->name())) continue;
    result += (result.empty() ? "" : ",\n") + std::string(indent, ' ') + schema_property(*row);
  }
  return result + "\n";
}

}  // namespace weir
