// The key files of the settings, read at start and again whenever one of them changes.
//
// Threads:   keys() and collect() on any thread; load(), poll() and reload() on main's.
// Ownership: shares each KeySet with the threads that check a token by it.
// Limits:    kKeyFileBytesMax for a file, KeySet::kKeysMax keys.
// Errors:    fatal at start; later the keys stay as they were, with a warning and a metric.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "broker/auth/key_set.h"
#include "broker/base/mutex.h"
#include "proto/result.h"

namespace weir {

class MetricsPage;

inline constexpr std::size_t kKeyFileBytesMax = 1 << 20;

// Paths; empty for no file. The keys of all files are used together.
struct KeyFiles {
  std::string secret;      // jwt-secret-file: one newline at its end is not part of it.
  std::string public_key;  // jwt-public-key-file: PEM.
  std::string jwks;        // jwks-file.

  bool empty() const { return secret.empty() && public_key.empty() && jwks.empty(); }
};

class KeyStore {
 public:
  explicit KeyStore(KeyFiles files);

  // Reads all files. The error is one line that names the setting, the file and the mistake.
  [[nodiscard]] std::optional<Error> load();
  // Reads the files again if one looks different: another file under its name (Kubernetes swaps a link),
  // another time or size. Costs a stat() each. A file that is written in place may be read half-way; it then
  // changes again and is read again.
  void poll();
  // Reads the files again in any case. After an error (see load()) the keys are what they were.
  [[nodiscard]] std::optional<Error> reload();

  // The present keys; never nullptr. They stay valid for the caller when the store reads newer ones.
  std::shared_ptr<const KeySet> keys() const;

  // Adds the metrics of the keys, as a source of Metrics.
  void collect(MetricsPage& page) const;

 private:
  // Tells two states of a file apart.
  using Stamp = std::array<std::uint64_t, 6>;
  using Stamps = std::array<Stamp, 3>;
  Stamps stamps() const;
  Result<std::shared_ptr<const KeySet>> read() const;
  void swap_in(std::shared_ptr<const KeySet> keys);

  const KeyFiles files_;
  Stamps seen_{};
  mutable Mutex mutex_;  // Leaf lock, held while a pointer is copied.
  std::shared_ptr<const KeySet> keys_ GUARDED_BY(mutex_) = std::make_shared<KeySet>();
  std::uint64_t reloads_ GUARDED_BY(mutex_) = 0;
  std::uint64_t failures_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
