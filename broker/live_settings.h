// The settings that a running gateway applies at SIGHUP: the key files, the log level, and the [[channel]]
// rules, for channels opened from then on. Everything else needs a restart and is named in a warning.
//
// Threads:  reload() on main. Its arguments outlive it.
// Failures: one unusable setting is one error in the log, and nothing changes.
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
  // Reads flags, environment and file again, just as at start (read_settings()).
  using Read = std::function<Result<CommandLine>(const ChannelSettings* general)>;

  // `running` are the settings that the gateway was started with. They never change.
  LiveSettings(const CommandLine& running, Read read, KeyStore& keys, Hub& hub);

  void reload();

 private:
  std::optional<Error> try_reload();
  // True if `config` has a rule of this kind, and the start had none.
  bool is_first(ChannelSource source, const Config& config) const;

  const CommandLine& running_;
  const Read read_;
  KeyStore& keys_;
  Hub& hub_;
};

}  // namespace weir
