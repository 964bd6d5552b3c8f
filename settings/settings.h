// The settings of one program as a table. A row is a setting: the flag --queue-bytes, the environment
// variable WEIR_QUEUE_BYTES and the key queue-bytes of the TOML file (--config, WEIR_CONFIG), in that order
// of precedence. The default is the value of the bound variable when the row is made. A list is a repeated
// flag, a comma-separated variable, and an array (or one string) in TOML.
//
//   Options options;
//   SettingsTable table("weir-publish-log", "Publishes the lines of a file as they are written.");
//   table.positional(Setting::text("file", options.file, "The file to follow.").required());
//   table.section("Where to", {
//       Setting::url("to", options.to, "redis://…, unix://… or http://….", check_target).required(),
//       Setting::integer("rounds", options.rounds, {1, 1'000}, "times", "How often it is sent."),
//       Setting::duration("pause-ms", options.pause, {0, 60'000}, "Time between two messages."),
//       Setting::flag("end", options.end, "End the channel afterwards."),
//   });
//   const auto outcome = table.read(argc, argv, environ);
//   if (!outcome) { std::fprintf(stderr, "%s\n", outcome.error().message.c_str()); return 2; }
//   if (outcome->text) { std::fputs(outcome->text->c_str(), stdout); return 0; }
//
// Threads: none of its own; build, read and destroy on one thread, at start.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "proto/result.h"

namespace weir {

// "0.1.0".
extern const char* const kVersion;

// The numbers that are accepted, both ends included.
struct Range {
  std::uint64_t min = 0;
  std::uint64_t max = std::numeric_limits<std::uint32_t>::max();
};

template <typename Enum>
struct Choice {
  std::string name;
  Enum value;
  bool is_alias = false;  // Accepted, but neither offered nor shown: another name of its value is.
};

// Returns the rule that a text breaks ("must be host:port"), or an empty string if the text is accepted.
using Check = std::function<std::string(const std::string&)>;

// One row. The bound variable outlives it.
class Setting {
 public:
  static Setting text(std::string name, std::string& value, std::string help, Check check = {});
  // A text that may hold user:password@. No error and no help repeats it, nor any setting whose
  // name ends in -password.
  static Setting url(std::string name, std::string& value, std::string help, Check check = {});
  // `check` is for each item. Setting a list replaces the default; an empty item is dropped.
  static Setting list(std::string name, std::vector<std::string>& values, std::string help, Check check = {});
  // --name, --name=false, WEIR_NAME=true|false|1|0|yes|no|on|off, name = true.
  static Setting flag(std::string name, bool& value, std::string help);
  // One of the names in `choices`. The default must have a name, too.
  template <typename Enum>
  static Setting choice(std::string name, Enum& value,
                        std::vector<Choice<std::type_identity_t<Enum>>> choices, std::string help) {
    std::vector<ChoiceName> names;
    names.reserve(choices.size());
    for (const auto& each : choices) names.push_back({each.name, each.is_alias});
    const auto show = [&value, choices]() -> std::string {
      for (const auto& each : choices) {
        if (each.value == value && !each.is_alias) return each.name;
      }
      return {};
    };
    std::string default_name = show();
    return named(std::move(name), std::move(default_name), std::move(names), std::move(help),
                 [&value, choices = std::move(choices)](std::size_t index) { value = choices[index].value; })
        .shown_by(show);
  }

  // A whole number. `unit` is a plural noun for --help: "clients".
  template <typename Integer>
  static Setting integer(std::string name, Integer& value, Range range, std::string unit, std::string help) {
    static_assert(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>);
    return number(std::move(name), static_cast<std::uint64_t>(value), range, std::move(unit), std::move(help),
                  [&value](std::uint64_t n) { value = static_cast<Integer>(n); })
        .shown_by([&value] { return std::to_string(value); });
  }

  // A number of bytes: 4194304, 4096K or 4M (K, M and G, also as KB, Ki or KiB, are 1024, 1024² and 1024³).
  template <typename Integer>
  static Setting bytes(std::string name, Integer& value, Range range, std::string help) {
    static_assert(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>);
    return size(std::move(name), static_cast<std::uint64_t>(value), range, std::move(help),
                [&value](std::uint64_t n) { value = static_cast<Integer>(n); })
        .shown_by([&value] { return std::to_string(value); });
  }

  // A whole number of seconds or milliseconds, by the variable's type. Let the name say the unit, too.
  template <typename Duration>
  static Setting duration(std::string name, Duration& value, Range range, std::string help) {
    constexpr bool kIsSeconds = std::is_same_v<Duration, std::chrono::seconds>;
    static_assert(kIsSeconds || std::is_same_v<Duration, std::chrono::milliseconds>);
    return number(std::move(name), static_cast<std::uint64_t>(value.count()), range, kIsSeconds ? "s" : "ms",
                  std::move(help),
                  [&value](std::uint64_t n) { value = Duration(static_cast<typename Duration::rep>(n)); })
        .shown_by([&value] { return std::to_string(value.count()); });
  }

  // No default: leaving it out is an error.
  Setting required() &&;
  // Setting the row also sets `is_given`, which outlives it.
  Setting noting(bool& is_given) &&;

  // For the table.
  enum class Kind { kText, kList, kFlag, kNumber };
  const std::string& name() const { return name_; }
  const std::string& help() const { return help_; }
  Kind kind() const { return kind_; }
  const std::string& accepted() const { return accepted_; }  // "0 to 100 clients"; empty for any text.
  const std::string& default_text() const { return default_text_; }  // Empty for none.
  // The members of a JSON Schema for the value as YAML has it: `"type": ["integer", "null"], "minimum": 1`.
  // Null is "not set". It accepts all that set() does, and of texts and sizes more.
  const std::string& schema() const { return schema_; }
  bool is_required() const { return is_required_; }
  // The variable's present value in one spelling. For comparing; never show it, since it may be a password.
  std::string value() const { return show_(); }
  // The same for people: on one line, shortened, and with passwords hidden.
  std::string shown_value() const { return shown(show_()); }

  // Sets the variable from `values`: any number of them for a list, else one. The error names the setting,
  // the value, `source` and what is accepted. The variable then stays as it was, but a list holds the items
  // before the refused one. A "…-file" takes no control characters.
  std::optional<Error> set(const std::vector<std::string>& values, const std::string& source) const;
  // "queue-bytes = "12x" (source): rule". Passwords are hidden and control characters escaped.
  Error refusal(const std::string& value, const std::string& source, const std::string& rule) const;

 private:
  // Takes one value; returns "must be …" if it isn't.
  using Take = std::function<std::string(const std::string&)>;

  using Show = std::function<std::string()>;

  Setting(std::string name, std::string help, Kind kind, Take take);
  Setting shown_by(Show show) &&;
  struct ChoiceName {
    std::string name;
    bool is_alias;
  };
  static Setting named(std::string name, std::string default_name, std::vector<ChoiceName> names,
                       std::string help, std::function<void(std::size_t)> store);
  static Setting number(std::string name, std::uint64_t value, Range range, std::string unit,
                        std::string help, std::function<void(std::uint64_t)> store);
  static Setting size(std::string name, std::uint64_t value, Range range, std::string help,
                      std::function<void(std::uint64_t)> store);
  // `value` on one line, shortened, and without a password.
  std::string shown(const std::string& value) const;

  std::string name_;
  std::string help_;
  Kind kind_;
  Take take_;
  Show show_;
  std::function<void()> clear_;  // For a list: forgets the default.
  std::string accepted_;
  std::string schema_;
  std::string default_text_;
  bool is_required_ = false;
  bool is_url_ = false;
};

// "queue-bytes" is "WEIR_QUEUE_BYTES".
std::string environment_name(std::string_view setting);

// The line of one setting for schema_properties(): `"retry-ms": {…}`, without indentation and comma.
std::string schema_property(const Setting& row);

struct TomlFile;

class SettingsTable {
 public:
  // `summary` is one sentence for --help.
  SettingsTable(std::string program, std::string summary);

  // Rows under a heading of --help, in that order.
  void section(std::string title, std::vector<Setting> settings);
  // An argument without a flag, in the order of the calls. --help shows its name in capitals. It also has a
  // flag, a variable and a key. A list takes all arguments that are left, so it comes last.
  void positional(Setting setting);
  // The [[name]] tables of the TOML file. `next` is called for each, after every other setting has its value,
  // and returns the rows for one more element. `own` are those of its rows that are no settings by themselves:
  // --help shows them with the tables.
  void tables(std::string name, std::string help, std::vector<Setting> own,
              std::function<std::vector<Setting>()> next);
  // Text after the rows of --help, such as examples.
  void epilogue(std::string text);

  struct Outcome {
    std::optional<std::string> text;    // --help or --version: print this and exit with 0.
    std::vector<std::string> warnings;  // Unknown WEIR_* variables, one line each.
    // The source of each setting that was set: "the flag --to", "weir.toml:3".
    std::map<std::string, std::string> sources;
    std::string config_path;  // The TOML file that was read; empty for none.
  };
  // Fills the bound variables. The error is one line that names the setting, its value, its source and what
  // is accepted: print it and exit with 2. `environment` has the shape of environ; nullptr is an empty one.
  Result<Outcome> read(int argc, const char* const* argv, const char* const* environment);

  // The present values of all settings by their names: see Setting::value().
  std::map<std::string, std::string> values() const;
  // Of these the ones that are not their defaults, in the table's order, as they may be shown.
  std::vector<std::pair<std::string, std::string>> changes(const SettingsTable& defaults) const;

  std::string help() const;
  // The same in Markdown, without the epilogue.
  std::string markdown() const;
  // The "properties" of a JSON Schema for an object with these settings, a line each, but not those in
  // `left_out`. Lines are indented by `indent` and end without a comma after the last one.
  std::string schema_properties(const std::set<std::string>& left_out, std::size_t indent) const;

 private:
  Result<Outcome> read_all(int argc, const char* const* argv, const char* const* environment);
  std::vector<const Setting*> all() const;
  std::optional<Error> fill_tables(const TomlFile& file) const;

  struct Section {
    std::string title;
    std::vector<Setting> settings;
  };
  struct Tables {
    std::string name;
    std::string help;
    std::vector<Setting> own;
    std::function<std::vector<Setting>()> next;
  };

  std::string program_;
  std::string summary_;
  std::string epilogue_;
  std::vector<Setting> positionals_;
  std::vector<Section> sections_;
  std::vector<Tables> tables_;
};

}  // namespace weir
