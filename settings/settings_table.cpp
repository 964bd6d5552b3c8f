#include <algorithm>
#include <cassert>
#include <set>

#include "process/readable.h"
#include "settings/flags.h"
#include "settings/settings.h"
#include "settings/toml_file.h"

namespace weir {
namespace {

using Names = std::vector<std::string>;
using Rows = std::vector<const Setting*>;

// Levenshtein's distance, one row at a time.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j - 1] + 1, row[j] + 1, changed}));
    }
  }
  return row.back();
}

// "; did you mean …?", or nothing if no name is near.
std::string suggestion(const std::string& unknown, const Names& known) {
  constexpr std::size_t kNameBytesMax = 64;  // A longer one is no misspelt name.
  if (unknown.size() > kNameBytesMax) return {};
  const std::string* nearest = nullptr;
  std::size_t smallest = 3;
  for (const auto& name : known) {
    const auto d = distance(unknown, name);
    if (d >= smallest) continue;
    smallest = d;
    nearest = &name;
  }
  return nearest == nullptr ? std::string() : "; did you mean " + *nearest + "?";
}

using Environment = std::map<std::string, std::string>;

// The WEIR_ variables that aren't empty. An empty one means the default: deployments leave some unfilled.
Environment weir_variables(const char* const* environment) {
  Environment result;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    const auto equals = variable.find('=');
    if (!variable.starts_with("WEIR_") || equals == std::string_view::npos) continue;
    if (equals + 1 < variable.size()) result.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return result;
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  std::size_t start = 0;
  while (start <= text.size()) {
    const auto end = std::min(text.find(',', start), text.size());
    const auto first = text.find_first_not_of(" \t", start);
    const auto last = text.find_last_not_of(" \t", end == 0 ? 0 : end - 1);
    if (first < end && last >= first) items.push_back(text.substr(first, last - first + 1));
    start = end + 1;
  }
  return items;
}

// Given values and their source, for errors and Outcome::sources.
struct Given {
  std::vector<std::string> values;
  std::string source;
};

using GivenMap = std::map<std::string, Given>;  // By the setting's name.

// "must be …" if the entry's type can't be the row's.
std::string type_rule(Setting::Kind kind, TomlEntry::Type type) {
  using Type = TomlEntry::Type;
  switch (kind) {
    case Setting::Kind::kText:
      return type == Type::kString ? "" : "must be a string";
    case Setting::Kind::kList:
      return type == Type::kString || type == Type::kStrings ? "" : "must be an array of strings";
    case Setting::Kind::kFlag:
      return type == Type::kBoolean || type == Type::kString ? "" : "must be true or false";
    case Setting::Kind::kNumber:
      return type == Type::kInteger || type == Type::kString ? "" : "must be a whole number";
  }
  return "";
}

Result<Given> given_by(const Setting& row, const TomlEntry& entry) {
  if (const auto rule = type_rule(row.kind(), entry.type); !rule.empty()) {
    const bool is_list = entry.type == TomlEntry::Type::kStrings;
    return row.refusal(is_list ? "an array" : entry.values.front(), entry.source, rule);
  }
  return Given{entry.values, entry.source};
}

Names names_of(const Rows& rows) {
  Names names;
  for (const auto* row : rows) names.push_back(row->name());
  return names;
}

const Setting* find(const Rows& rows, const std::string& name) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto* row) { return row->name() == name; });
  return found == rows.end() ? nullptr : *found;
}

// `what` names the keys of this table in the error.
Result<GivenMap> given_by_file(const TomlTable& table, const Rows& rows, const std::string& what) {
  GivenMap result;
  for (const auto& entry : table.entries) {
    const auto* row = find(rows, entry.key);
    if (row == nullptr) {
      return Error{entry.key + " (" + entry.source + "): no such " + what +
                   suggestion(entry.key, names_of(rows))};
    }
    auto given = given_by(*row, entry);
    if (!given) return given.error();
    result.emplace(entry.key, std::move(*given));
  }
  return result;
}

GivenMap given_by_environment(const Environment& variables, const Rows& rows) {
  GivenMap result;
  for (const auto* row : rows) {
    const auto name = environment_name(row->name());
    const auto variable = variables.find(name);
    if (variable == variables.end()) continue;
    auto values = row->kind() == Setting::Kind::kList ? split_list(variable->second)
                                                      : std::vector<std::string>{variable->second};
    result.emplace(row->name(), Given{std::move(values), "the environment variable " + name});
  }
  return result;
}

GivenMap given_by_flags(const Flags& flags, const Rows& rows) {
  GivenMap result;
  for (const auto* row : rows) {
    const auto flag = flags.values.find(row->name());
    if (flag == flags.values.end()) continue;
    auto values = flag->second;
    if (row->kind() != Setting::Kind::kList) values = {values.back()};  // Given twice: the last one counts.
    result.emplace(row->name(), Given{std::move(values), "the flag --" + row->name()});
  }
  return result;
}

std::vector<std::string> unknown_variables(const Environment& variables, const Rows& rows) {
  Names known{environment_name("config")};
  for (const auto* row : rows) known.push_back(environment_name(row->name()));
  std::vector<std::string> warnings;
  for (const auto& [name, value] : variables) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    warnings.push_back("the environment variable " + name + " is no setting" + suggestion(name, known));
  }
  return warnings;
}

// Sets the given values, in the order of the rows. `how` ends the error for a required one that is missing.
std::optional<Error> fill(const Rows& rows, const GivenMap& given,
                          const std::function<std::string(const Setting&)>& how) {
  for (const auto* row : rows) {
    const auto found = given.find(row->name());
    if (found == given.end()) {
      if (row->is_required()) return Error{row->name() + how(*row)};
      continue;
    }
    const auto& [values, source] = found->second;
    if (row->is_required() && (values.empty() || values.front().empty())) {
      return row->refusal("", source, "must not be empty");
    }
    if (auto error = row->set(values, source)) return error;
  }
  return std::nullopt;
}

std::optional<Error> fill_table(const std::string& name, const TomlTable& table,
                                const std::vector<Setting>& settings) {
  Rows rows;
  for (const auto& row : settings) rows.push_back(&row);
  const auto given = given_by_file(table, rows, "key of [[" + name + "]]");
  if (!given) return given.error();
  return fill(rows, *given, [&](const Setting&) {
    return " (" + table.source + "): is required in each [[" + name + "]]";
  });
}

std::string how_to_set(const Setting& row) {
  return ": is required; set it with --" + row.name() + ", " + environment_name(row.name()) +
         " or in the file of --config";
}

// The path of the TOML file; empty for none.
std::string config_path(const Flags& flags, const Environment& variables) {
  const auto flag = flags.values.find("config");
  const auto variable = variables.find(environment_name("config"));
  if (flag != flags.values.end()) return flag->second.back();
  return variable == variables.end() ? "" : variable->second;
}

Result<TomlFile> read_config_file(const std::string& path) {
  if (path.empty()) return TomlFile{};
  auto file = read_toml_file(path);
  if (!file) return Error{"config: " + file.error().message};
  return file;
}

}  // namespace

SettingsTable::SettingsTable(std::string program, std::string summary)
    : program_(std::move(program)), summary_(std::move(summary)) {}

void SettingsTable::section(std::string title, std::vector<Setting> settings) {
  sections_.push_back({std::move(title), std::move(settings)});
}
void SettingsTable::positional(Setting setting) { positionals_.push_back(std::move(setting)); }
void SettingsTable::tables(std::string name, std::string help, std::vector<Setting> own,
                           std::function<std::vector<Setting>()> next) {
  tables_.push_back({std::move(name), std::move(help), std::move(own), std::move(next)});
}
void SettingsTable::epilogue(std::string text) { epilogue_ = std::move(text); }

std::vector<const Setting*> SettingsTable::all() const {
  std::vector<const Setting*> rows;
  for (const auto& row : positionals_) rows.push_back(&row);
  for (const auto& section : sections_) {
    for (const auto& row : section.settings) rows.push_back(&row);
  }
  return rows;
}

std::map<std::string, std::string> SettingsTable::values() const {
  std::map<std::string, std::string> values;
  for (const auto* row : all()) values.emplace(row->name(), row->value());
  return values;
}

std::vector<std::pair<std::string, std::string>> SettingsTable::changes(const SettingsTable& defaults) const {
  const auto before = defaults.values();
  std::vector<std::pair<std::string, std::string>> changes;
  for (const auto* row : all()) {
    if (row->value() != before.at(row->name())) changes.emplace_back(row->name(), row->shown_value());
  }
  return changes;
}

std::optional<Error> SettingsTable::fill_tables(const TomlFile& file) const {
  for (const auto& [name, tables] : file.tables) {
    const auto known = std::find_if(tables_.begin(), tables_.end(),
                                    [&name = name](const auto& each) { return each.name == name; });
    if (known == tables_.end())
      return Error{"[[" + name + "]] (" + tables.front().source + "): no such table"};
    for (const auto& table : tables) {
      if (auto error = fill_table(name, table, known->next())) return error;
    }
  }
  return std::nullopt;
}

Result<SettingsTable::Outcome> SettingsTable::read(int argc, const char* const* argv,
                                                   const char* const* environment) {
  auto outcome = read_all(argc, argv, environment);
  // Names of flags, variables and keys come from outside, just as values do.
  if (!outcome) return Error{one_line(outcome.error().message)};
  for (std::string& warning : outcome->warnings) warning = one_line(warning);
  return outcome;
}

Result<SettingsTable::Outcome> SettingsTable::read_all(int argc, const char* const* argv,
                                                       const char* const* environment) {
  const auto rows = all();
  std::vector<FlagRow> flag_rows{{.name = "config"}};
  for (const auto* row : rows) {
    const bool is_positional = flag_rows.size() <= positionals_.size();  // They come first.
    flag_rows.push_back({row->name(), row->kind() != Setting::Kind::kFlag, is_positional,
                         row->kind() == Setting::Kind::kList});
  }
  const auto flags = parse_flags(flag_rows, argc, argv);
  if (!flags) return flags.error();
  Outcome outcome;
  if (flags->wants_help) outcome.text = help();
  if (flags->wants_version) outcome.text = program_ + " " + kVersion + "\n";
  if (outcome.text) return outcome;

  const auto variables = weir_variables(environment);
  outcome.config_path = config_path(*flags, variables);
  const auto file = read_config_file(outcome.config_path);
  if (!file) return file.error();
  for (const auto& entry : file->top.entries) {
    const auto is_its_name = [&](const auto& each) { return each.name == entry.key; };
    if (std::any_of(tables_.begin(), tables_.end(), is_its_name)) {
      return Error{entry.key + " (" + entry.source + "): is written as [[" + entry.key + "]]"};
    }
  }
  const auto from_file = given_by_file(file->top, rows, "setting");
  if (!from_file) return from_file.error();

  // merge() keeps the values that are there, so the strongest source comes first.
  GivenMap given = given_by_flags(*flags, rows);
  given.merge(given_by_environment(variables, rows));
  given.merge(GivenMap(*from_file));
  if (auto error = fill(rows, given, how_to_set)) return *error;
  if (auto error = fill_tables(*file)) return *error;
  for (const auto& [name, each] : given) outcome.sources[name] = each.source;
  outcome.warnings = unknown_variables(variables, rows);
  return outcome;
}

}  // namespace weir
