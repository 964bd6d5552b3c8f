#include "settings/settings.h"

namespace weir {
namespace {

constexpr std::size_t kColumnsMax = 100;

std::string in_capitals(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

// "(1 to 3600 s; default 15 s)", or nothing.
std::string limits(const Setting& row) {
  std::string result = row.accepted();
  const auto add = [&result](const std::string& text) { result += (result.empty() ? "" : "; ") + text; };
  if (row.kind() == Setting::Kind::kList) add("repeatable");
  if (row.is_required()) add("required");
  if (!row.default_text().empty()) add("default " + row.default_text());
  return result.empty() ? result : " (" + result + ")";
}

// `text` in lines of at most kColumnsMax, indented.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string result(indent, ' ');
  std::size_t column = indent;
  std::size_t start = 0;
  while (start < text.size()) {
    const auto end = std::min(text.find(' ', start), text.size());
    if (column > indent && column + 1 + end - start > kColumnsMax) {
      result += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += text.substr(start, end - start);
    column += end - start;
    start = end + 1;
  }
  return result + "\n";
}

std::string help_of(const Setting& row) {
  return "  --" + row.name() + ", " + environment_name(row.name()) + limits(row) + "\n" +
         wrapped(row.help(), 6);
}

// A row that has no flag, only a key in [[…]].
std::string help_of_key(const Setting& row) {
  return "  " + row.name() + limits(row) + "\n" + wrapped(row.help(), 6);
}

std::string without_pipes(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '|' ? std::string("\\|") : std::string(1, c);
  return result;
}

std::string code(const std::string& text) { return text.empty() ? text : "`" + text + "`"; }

// `name` is the first column.
std::string markdown_row(const Setting& row, const std::string& name) {
  const auto accepted = row.kind() == Setting::Kind::kList ? std::string("a list") : row.accepted();
  const auto default_text = row.is_required() ? std::string("required") : code(row.default_text());
  return "| " + name + " | " + default_text + " | " + without_pipes(accepted) + " | " +
         without_pipes(row.help()) + " |\n";
}

std::string markdown_row(const Setting& row) {
  return markdown_row(row, "`--" + row.name() + "`<br>`" + environment_name(row.name()) + "`");
}

constexpr const char* kRules =
    "Each setting is a flag, an environment variable and a key of the TOML file (the flag's name without its "
    "dashes), "
    "in this order of precedence. A list is a repeated flag, a comma-separated variable, or an array in the "
    "file. "
    "Numbers of bytes may end in K, M or G (also KB, Ki or KiB): 1024, 1024² and 1024³ bytes. An empty "
    "variable "
    "counts as "
    "not set; of a flag given twice the last one counts.";

}  // namespace

std::string SettingsTable::help() const {
  std::string result = program_ + " " + kVersion + ": " + summary_ + "\n\nUsage: " + program_ + " [flags]";
  for (const auto& row : positionals_) {
    const auto name = in_capitals(row.name()) + (row.kind() == Setting::Kind::kList ? "..." : "");
    result += row.is_required() ? " " + name : " [" + name + "]";
  }
  result += "\n\n" + wrapped(kRules, 0) + "\n";
  if (!positionals_.empty()) result += "Arguments:\n";
  for (const auto& row : positionals_) result += help_of(row);
  if (!positionals_.empty()) result += "\n";
  for (const auto& section : sections_) {
    result += section.title + ":\n";
    for (const auto& row : section.settings) result += help_of(row);
    result += "\n";
  }
  result += "Other:\n  --config, WEIR_CONFIG\n      The TOML file to read.\n  --help, -h\n  --version\n";
  for (const auto& each : tables_) {
    result += "\n[[" + each.name + "]] in the TOML file:\n" + wrapped(each.help, 6);
    for (const auto& row : each.own) result += help_of_key(row);
  }
  return epilogue_.empty() ? result : result + "\n" + epilogue_;
}

std::string SettingsTable::markdown() const {
  constexpr const char* kHead = "| Setting | Default | Accepted | Meaning |\n| --- | --- | --- | --- |\n";
  std::string result = "# Settings of " + program_ + "\n\nMade from the table in the code; `" + program_ +
                       " --help` prints the same.\n\n" + kRules + "\n";
  if (!positionals_.empty()) result += std::string("\n## Arguments\n\n") + kHead;
  for (const auto& row : positionals_) result += markdown_row(row);
  for (const auto& section : sections_) {
    result += "\n## " + section.title + "\n\n" + kHead;
    for (const auto& row : section.settings) result += markdown_row(row);
  }
  result += std::string("\n## Other\n\n") + kHead +
            "| `--config`<br>`WEIR_CONFIG` |  |  | The TOML file to read. |\n"
            "| `--help`, `-h` |  |  | Prints the settings. |\n| `--version` |  |  | Prints the version. |\n";
  for (const auto& each : tables_) {
    result += "\n## `[[" + each.name + "]]` in the TOML file\n\n" + each.help + "\n";
    if (!each.own.empty()) result += "\n| Key | Default | Accepted | Meaning |\n| --- | --- | --- | --- |\n";
    for (const auto& row : each.own) result += markdown_row(row, code(row.name()));
  }
  return result;
}

}  // namespace weir
