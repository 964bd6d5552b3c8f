// What the three programs have in common: settings, log, signals, exit codes.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "process/log_level.h"
#include "process/stop.h"
#include "publishers/delivery/publisher.h"
#include "redis/redis_files.h"
#include "settings/settings.h"

namespace weir {

enum ExitCode : int {
  kExitDone = 0,
  kExitGaveUp = 1,
  kExitUsage = 2,
  kExitSignal = 128,  // Plus the number of the signal that cut the work short.
};

// The settings that every publisher has.
struct CommonSettings {
  std::string to;
  std::string channel;
  std::string redis_prefix;
  RedisFiles redis_files;
  std::string token_file;
  bool end = false;
  std::chrono::seconds retry{60};
  std::chrono::milliseconds timeout{10'000};
  UnknownPolicy unknown = UnknownPolicy::kRepeat;
  LogLevel log_level = LogLevel::kInfo;

  // The rows of the table, for two sections of --help. `end_help` says when the end is published.
  std::vector<Setting> destination(const std::string& end_help);
  std::vector<Setting> delivery();
};

// What a program's work gets to see.
struct Work {
  Publisher& publisher;
  const std::stop_token stop;
  const std::map<std::string, std::string>& sources;  // The settings that were set (SettingsTable::Outcome).
};

// How the work came out. An ending of kStopped is kExitDone for `runs_until_stopped`, and a cut for any other
// work.
struct WorkResult {
  Publisher::Ending ending = Publisher::Ending::kDone;
  bool runs_until_stopped = false;  // It has no end of its own.
  bool wants_end = false;           // Publish the end of the channel if the work is done.
};

// Reads the settings, does the work and returns the exit code. `check` looks at settings that depend on each
// other; what it returns is printed like any other wrong setting. Takes over the process' signals and
// standard error.
int run_program(SettingsTable table, CommonSettings& settings, int argc, const char* const* argv,
                const std::function<WorkResult(const Work&)>& work);

// How long the last messages of a program that was stopped may take.
inline constexpr std::chrono::milliseconds kGraceTime{3'000};

}  // namespace weir
