// A table with a row of each kind, and a verb to read it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "settings/log_level_setting.h"
#include "settings/settings.h"

namespace weir {

enum class Colour { kRed, kGreen };

struct Rule {
  std::string match;
  std::size_t queue_bytes = 0;
  bool is_loud = false;
  bool names_loud = false;
};

class SettingsTest : public testing::Test {
 protected:
  ~SettingsTest() override {
    for (const auto& path : files_) std::remove(path.c_str());
  }

  // The table is made anew, so that defaults are those of the variables now.
  Result<SettingsTable::Outcome> read(std::vector<std::string> flags,
                                      std::vector<std::string> variables = {}) {
    std::vector<const char*> argv{"weir-test"};
    for (const auto& flag : flags) argv.push_back(flag.c_str());
    std::vector<const char*> environment;
    for (const auto& variable : variables) environment.push_back(variable.c_str());
    environment.push_back(nullptr);
    return table().read(static_cast<int>(argv.size()), argv.data(), environment.data());
  }

  std::string error_of(std::vector<std::string> flags, std::vector<std::string> variables = {}) {
    const auto outcome = read(std::move(flags), std::move(variables));
    return outcome ? "no error" : outcome.error().message;
  }

  // The path of a new file that holds `text`.
  std::string file(const std::string& text) {
    files_.push_back(testing::TempDir() + "weir-settings-" + std::to_string(getpid()) + "-" +
                     std::to_string(files_.size()) + ".toml");
    std::ofstream(files_.back()) << text;
    return files_.back();
  }

  SettingsTable table() {
    static bool is_loud = false;  // For --help alone.
    SettingsTable table("weir-test", "Tries the table.");
    table.positional(Setting::text("file", file_name, "What to read."));
    table.section("Numbers",
                  {
                      Setting::integer("max-clients", max_clients, {0, 1'000}, "clients", "How many."),
                      Setting::bytes("queue-bytes", queue_bytes, {1'024, 1ULL << 40}, "How much."),
                      Setting::duration("linger-seconds", linger, {1, 3'600}, "How long."),
                      Setting::duration("retry-ms", retry, {0, 60'000}, "How soon."),
                  });
    table.section("Others",
                  {
                      Setting::text("listen", listen, "Where."),
                      Setting::url("redis-url", redis_url, "Which Redis.",
                                   [](const std::string& text) {
                                     return text.starts_with("redis://") ? "" : "must be redis://…";
                                   }),
                      Setting::text("redis-password", password, "The password.",
                                    [](const std::string& text) {
                                      return text.size() > 3 ? "" : "must have more than 3 characters";
                                    }),
                      Setting::list("record", record, "Which channels.",
                                    [](const std::string& text) {
                                      return text.find(' ') == std::string::npos ? "" : "must have no space";
                                    }),
                      Setting::flag("end", end, "Whether to end."),
                      Setting::choice("colour", colour, {{"red", Colour::kRed}, {"green", Colour::kGreen}},
                                      "Which colour."),
                      log_level_setting(level, "How much to say."),
                  });
    table.tables("rule", "What differs.", {Setting::flag("loud", is_loud, "Whether a | is heard.")}, [this] {
      rules.push_back({.match = "", .queue_bytes = queue_bytes});
      return std::vector<Setting>{
          Setting::text("match", rules.back().match, "Which.").required(),
          Setting::flag("loud", rules.back().is_loud, "Whether it is heard.").noting(rules.back().names_loud),
          Setting::bytes("queue-bytes", rules.back().queue_bytes, {1'024, 1ULL << 40}, "How much."),
      };
    });
    return table;
  }

  std::string file_name;
  std::size_t max_clients = 10;
  std::size_t queue_bytes = 4 << 20;
  std::chrono::seconds linger{120};
  std::chrono::milliseconds retry{2'000};
  std::string listen = "127.0.0.1:8080";
  std::string redis_url;
  std::string password;
  std::vector<std::string> record{"stream*"};
  bool end = false;
  Colour colour = Colour::kRed;
  LogLevel level = LogLevel::kInfo;
  std::vector<Rule> rules;

 private:
  std::vector<std::string> files_;
};

}  // namespace weir
