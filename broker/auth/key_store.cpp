#include "broker/auth/key_store.h"

#include <sys/stat.h>

#include <cstdint>
#include <utility>

#include "broker/base/logging.h"
#include "broker/base/metrics.h"
#include "process/small_file.h"

namespace weir {
namespace {

// Editors and `openssl rand -base64 48 > file` end a file with a newline that is not part of the secret.
void strip_newline(std::string& text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
}

std::optional<Error> add_secret(KeySet& keys, std::string text) {
  strip_newline(text);
  auto key = Key::from_secret(std::move(text));
  if (!key) return key.error();
  keys.add(std::move(*key));
  return std::nullopt;
}

std::optional<Error> add_pem(KeySet& keys, const std::string& text) {
  auto all = Key::from_pem(text);
  if (!all) return all.error();
  for (Key& key : *all) {
    if (!keys.add(std::move(key))) return Error{"has too many keys"};
  }
  return std::nullopt;
}

}  // namespace

KeyStore::KeyStore(KeyFiles files) : files_(std::move(files)) {}

std::optional<Error> KeyStore::load() {
  seen_ = stamps();
  auto keys = read();
  if (!keys) return keys.error();
  swap_in(std::move(*keys));
  return std::nullopt;
}

void KeyStore::poll() {
  if (stamps() == seen_) return;
  if (const auto error = reload()) {
    log_warning("the keys stay as they were: " + error->message);
  } else {
    log_info("keys were read again: " + std::to_string(keys()->size()) + " in use");
  }
}

std::optional<Error> KeyStore::reload() {
  if (files_.empty()) return std::nullopt;
  // Before reading, so that a change meanwhile is seen as another change.
  seen_ = stamps();
  auto keys = read();
  if (keys) swap_in(std::move(*keys));
  const MutexLock lock(mutex_);
  ++(keys ? reloads_ : failures_);
  if (keys) return std::nullopt;
  return keys.error();
}

std::shared_ptr<const KeySet> KeyStore::keys() const {
  const MutexLock lock(mutex_);
  return keys_;
}

void KeyStore::collect(MetricsPage& page) const {
  const MutexLock lock(mutex_);
  page.add(Metric::kKeys, static_cast<double>(keys_->size()));
  page.add(Metric::kKeyReloads, static_cast<double>(reloads_), "ok");
  page.add(Metric::kKeyReloads, static_cast<double>(failures_), "failed");
}

KeyStore::Stamps KeyStore::stamps() const {
  Stamps all{};
  std::size_t i = 0;
  for (const std::string* path : {&files_.secret, &files_.public_key, &files_.jwks}) {
    struct stat status {};
    Stamp& stamp = all[i++];
    if (path->empty() || ::stat(path->c_str(), &status) != 0) continue;
    const auto nanoseconds = [](const timespec& time) {
      return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
             static_cast<std::uint64_t>(time.tv_nsec);
    };
    stamp = {1,
             status.st_dev,
             status.st_ino,
             static_cast<std::uint64_t>(status.st_size),
             nanoseconds(status.st_mtim),
             nanoseconds(status.st_ctim)};
  }
  return all;
}

Result<std::shared_ptr<const KeySet>> KeyStore::read() const {
  auto keys = std::make_shared<KeySet>();
  const auto add = [](const char* setting, const std::string& path, auto take) -> std::optional<Error> {
    if (path.empty()) return std::nullopt;
    auto text = read_small_file(path, kKeyFileBytesMax);
    if (!text) return Error{std::string(setting) + " = " + text.error().message};
    const std::optional<Error> error = take(std::move(*text));
    if (!error) return std::nullopt;
    return Error{std::string(setting) + " = \"" + path + "\": " + error->message};
  };
  auto error = add("jwt-secret-file", files_.secret,
                   [&keys](std::string text) { return add_secret(*keys, std::move(text)); });
  if (!error) {
    error = add("jwt-public-key-file", files_.public_key,
                [&keys](const std::string& text) { return add_pem(*keys, text); });
  }
  if (!error) {
    error = add("jwks-file", files_.jwks, [&keys](const std::string& text) { return keys->add_jwks(text); });
  }
  if (error) return *error;
  return std::shared_ptr<const KeySet>(std::move(keys));
}

void KeyStore::swap_in(std::shared_ptr<const KeySet> keys) {
  const MutexLock lock(mutex_);
  keys_.swap(keys);  // The old keys are freed without the lock, if here at all.
}

}  // namespace weir
