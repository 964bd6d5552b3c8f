// The common part of the three publisher programs: settings, log, signals, exit codes.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "process/log_level.h"
#include "process/stop.h"
#include "proto/result.h"
#include "publishers/delivery/publisher.h"
#include "publishers/program/metrics.h"
#include "redis/redis_files.h"
#include "settings/settings.h"

namespace weir {

enum ExitCode : int {
  kExitDone = 0,
  kExitGaveUp = 1,
  kExitUsage = 2,
  kExitSignal = 128,  // Plus the number of the signal that cut the work short.
};

// The check of a setting: the rule for names, if `name` is none of a channel; else empty.
std::string check_channel_name(const std::string& name);

// The settings that every publisher has. The members hold the defaults.
struct CommonSettings {
  std::string to;
  std::string channel;
  std::string redis_prefix;
  RedisFiles redis_files;
  bool is_durable = false;
  DurableLimits durable;
  std::string token_file;
  bool end = false;
  std::chrono::seconds retry{60};
  std::chrono::milliseconds timeout{10'000};
  UnknownPolicy unknown = UnknownPolicy::kRepeat;
  std::string metrics_listen;  // Empty for none.
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;

  // A program for which the channel may be a template replaces these before it calls destination().
  std::string channel_help = "The channel to publish to.";
  std::function<std::string(const std::string&)> check_channel_setting = check_channel_name;

  // Settings that contradict each other, or can't be used. Called once all are read; the error is one line.
  std::function<std::optional<Error>()> check_together = [] { return std::nullopt; };

  // The rows of the table, for two sections of --help. `end_help` says when the end is published.
  std::vector<Setting> destination(const std::string& end_help);
  std::vector<Setting> delivery();
};

// The input of a program's work.
struct Work {
  Publisher& publisher;
  const std::string& channel;
  const std::stop_token stop;
  const std::map<std::string, std::string>& sources;  // The settings that were set (SettingsTable::Outcome).
  ProgramMetrics& metrics;
  // Idempotency keys are of use: the channel is durable, or a gateway knows whether it is.
  bool wants_keys = false;
};

// How the work ended. kStopped gives kExitDone if the work runs until it is stopped; otherwise
// it was cut short.
struct WorkResult {
  Publisher::Ending ending = Publisher::Ending::kDone;
  bool runs_until_stopped = false;  // The work has no end of its own.
  bool wants_end = false;           // Publish the end of the channel once the work is done.
  std::string end_key = {};         // The end's idempotency key; empty for none.
};

// Reads the settings into the variables bound to `table` and `settings`, does `work` and returns the exit
// code. Call it first in main(), once: it takes over the process' signals and standard error.
int run_program(SettingsTable table, CommonSettings& settings, int argc, const char* const* argv,
                const std::function<WorkResult(const Work&)>& work);

// How long a stopped program may take for its last messages.
inline constexpr std::chrono::milliseconds kGraceTime{3'000};

}  // namespace weir
