#include "settings/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace weir {
namespace {

// In CLI11's order, last argument first. "--name=" becomes "--name" and an empty value: CLI11 would take the
// next argument for it.
std::vector<std::string> reversed_arguments(int argc, const char* const* argv) {
  std::vector<std::string> result;
  bool is_after_mark = false;  // After "--" there are no flags.
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    is_after_mark = is_after_mark || argument == "--";
    const bool has_empty_value = !is_after_mark && argument.starts_with("--") && argument.ends_with('=') &&
                                 argument.find('=') == argument.size() - 1;
    if (has_empty_value) argument.pop_back();
    result.push_back(std::move(argument));
    if (has_empty_value) result.emplace_back();
  }
  std::reverse(result.begin(), result.end());
  return result;
}

// The kernel takes no more than some hundred thousand arguments.
constexpr int kArgumentsMax = 1 << 24;

// An argument that is left over: a misspelt flag, or one too many, which may be a flag's value.
Error unexpected(const std::vector<std::string>& arguments) {
  for (const auto& argument : arguments) {
    if (argument.size() < 2 || argument[0] != '-' || argument == "--") continue;
    return Error{argument.substr(0, argument.find('=')) + ": no such flag; --help lists them"};
  }
  return Error{"the command line has " + std::to_string(arguments.size()) + " argument" +
               (arguments.size() == 1 ? "" : "s") +
               " without a flag more than expected; --help lists the flags"};
}

bool is_flag_of(const std::vector<FlagRow>& rows, const std::string& text) {
  return std::any_of(rows.begin(), rows.end(), [&](const FlagRow& row) {
    return text.starts_with("--" + row.name) &&
           (text.size() == row.name.size() + 2 || text[row.name.size() + 2] == '=');
  });
}

Error needs_value(const std::string& flag) { return Error{flag + ": needs a value; --help lists the flags"}; }

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

Result<Flags> parse_flags(const std::vector<FlagRow>& rows, int argc, const char* const* argv) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  const auto* help = app.add_flag("-h,--help");
  const auto* version = app.add_flag("--version");
  std::map<std::string, const CLI::Option*> options;
  for (const auto& row : rows) {
    if (!row.takes_value) {
      options[row.name] =
          app.add_flag("--" + row.name)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
      continue;
    }
    const auto names = (row.is_positional ? row.name + "," : "") + "--" + row.name;
    auto* const option =
        app.add_option(names)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (row.is_positional && row.is_list) option->expected(1, kArgumentsMax)->allow_extra_args();
    options[row.name] = option;
  }

  try {
    app.parse(reversed_arguments(argc, argv));
  } catch (const CLI::ArgumentMismatch& error) {
    // "--listen: 1 required TEXT missing", worded otherwise by each version.
    const std::string text = error.what();
    return needs_value(text.substr(0, text.find(':')));
  } catch (const CLI::Error& error) {
    return Error{first_line(error.what()) + "; --help lists the flags"};
  }
  auto left_over = app.remaining();
  std::erase(left_over, "--");
  if (!left_over.empty()) return unexpected(left_over);

  Flags flags;
  flags.wants_help = help->count() > 0;
  flags.wants_version = version->count() > 0;
  for (const auto& [name, option] : options) {
    if (option->count() == 0) continue;
    // CLI11 takes whatever follows a flag for its value, even another flag.
    for (const auto& value : option->results()) {
      if (is_flag_of(rows, value)) return needs_value("--" + name);
    }
    flags.values[name] = option->results();
  }
  return flags;
}

}  // namespace weir
