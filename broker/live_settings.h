// What a gateway that runs takes over from its settings at SIGHUP: the key files, the log's level and the
// [[channel]] rules, for channels that are opened from then on. Everything else takes a restart and is named
// in a warning.
//
// Threads:  reload() on main. What it is given outlives it.
// Failures: what can't be used is one error in the log, and nothing at all changes.
#pragma once

#include <functional>
#include <optional>

#include "broker/config.h"
#include "proto/result.h"

namespace weir {

class Hub;
class KeyStore;

class LiveSettings {
 public:
  // Reads flags, environment and file as the start did (read_settings()).
  using Read = std::function<Result<CommandLine>(const ChannelSettings* general)>;

  // `running` is what the gateway was started with, and stays so.
  LiveSettings(const CommandLine& running, Read read, KeyStore& keys, Hub& hub);

  void reload();

 private:
  std::optional<Error> try_reload();

  const CommandLine& running_;
  const Read read_;
  KeyStore& keys_;
  Hub& hub_;
};

}  // namespace weir
