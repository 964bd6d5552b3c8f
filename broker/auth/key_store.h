// The key files of the settings, read at start and again whenever one of them changes.
//
// Threads:   keys() and collect() on any thread; load(), poll() and reload() on main's.
// Ownership: shares each KeySet with whoever checks a token by it.
// Limits:    kKeyFileBytesMax for a file, KeySet::kKeysMax keys.
// Errors:    at start an error; later the keys stay as they were, with a warning and a metric.
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

// Paths; an empty one is no file. The keys of all files count together.
struct KeyFiles {
  std::string secret;      // jwt-secret-file: one newline at its end is not part of it.
  std::string public_key;  // jwt-public-key-file: PEM.
  std::string jwks;        // jwks-file.

  bool empty() const { return secret.empty() && public_key.empty() && jwks.empty(); }
};

class KeyStore {
 public:
  explicit KeyStore(KeyFiles files);

  // Reads all files. The error is one line that names the setting, the file, and what is wrong with it.
  [[nodiscard]] std::optional<Error> load();
  // Reads the files again if one looks different: another file under its name, another time or size. Costs a
  // stat() each. Kubernetes swaps a link. A file that is written in place may be read half-way, and is then
  // read again.
  void poll();
  // Reads the files again in any case. After an error, which is as from load(), the keys are what they were.
  [[nodiscard]] std::optional<Error> reload();

  // The present keys; never nullptr. The caller may go on with them while the store changes to others.
  std::shared_ptr<const KeySet> keys() const;

  // Adds the metrics of the keys, as a source of Metrics.
  void collect(MetricsPage& page) const;

 private:
  // Tells one state of a file from another.
  using Stamp = std::array<std::uint64_t, 6>;
  using Stamps = std::array<Stamp, 3>;
  Stamps stamps() const;
  Result<std::shared_ptr<const KeySet>> read() const;
  void swap_in(std::shared_ptr<const KeySet> keys);

  const KeyFiles files_;
  Stamps seen_{};
  mutable Mutex mutex_;  // Leaf lock, for as long as a pointer takes to copy.
  std::shared_ptr<const KeySet> keys_ GUARDED_BY(mutex_) = std::make_shared<KeySet>();
  std::uint64_t reloads_ GUARDED_BY(mutex_) = 0;
  std::uint64_t failures_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir
