// The key files of the settings, read at start and again whenever one of them changes.
//
// Threads:   keys() and collect() on any thread; load(), poll() and reload() on one, which main is.
// Limits:    kKeyFileBytesMax a file, KeySet::kKeysMax keys.
// Failures:  at start an error; later the keys stay as they were, with a warning and a metric.
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

// Paths; empty for none. All that are there count together.
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
  // Reads them again if one looks different (another file under its name, another time or size), which costs
  // a stat() each. Kubernetes swaps a link; whoever writes in place may be read half-way, and is read again.
  void poll();
  // Reads them again in any case. The error is as from load(); the keys are then what they were.
  [[nodiscard]] std::optional<Error> reload();

  // The keys of now; never nullptr. Whoever holds them may go on with them while they change.
  std::shared_ptr<const KeySet> keys() const;

  void collect(MetricsPage& page) const;

 private:
  // What tells one state of a file from another.
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
