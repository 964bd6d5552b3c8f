#include "publishers/file/file_sender.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "process/readable.h"
#include "process/stop.h"
#include "publishers/file/file_messages.h"
#include "publishers/file/part_windows.h"
#include "publishers/program/sha256.h"

namespace weir {
namespace {

constexpr std::uint64_t kWindowBytesMax = 256 << 10;

FileSender::Sent file_failed(std::string why) {
  return {.ending = Publisher::Ending::kGaveUp, .file_error = std::move(why)};
}

std::string sha256_of(std::string_view bytes) {
  Sha256 digest;
  digest.add(bytes);
  return digest.finish();
}

// The key of the end behind the messages that begin with `key`.
std::string end_key(const std::string& key) { return key.empty() ? "" : key + ":end"; }

// At a low rate a window is a tenth of a second, so that its messages leave evenly.
std::uint64_t window_bytes_max(std::uint64_t rate) {
  return rate == 0 ? kWindowBytesMax : std::min(kWindowBytesMax, rate / 10);
}

}  // namespace

FileSender::FileSender(Publisher& publisher, std::string channel, const Options& options,
                       OnProgress on_progress)
    : publisher_(publisher),
      channel_(std::move(channel)),
      options_(options),
      on_progress_(std::move(on_progress)),
      pacer_(options.rate) {}

FileSender::Sent FileSender::send(const std::string& path, const std::stop_token& stop) {
  const auto file = FileSource::open(path);
  if (!file) return file_failed(file.error().message);
  const bool fits = file->size() <= kBufferFormBytesMax;
  const bool in_parts = options_.form == FileForm::kParts || (options_.form == FileForm::kAuto && !fits);
  if (!in_parts && !fits) {
    return file_failed(one_line(path) + " has " + std::to_string(file->size()) +
                       " bytes: --form buffer takes at most " + std::to_string(kBufferFormBytesMax) +
                       ", --form parts any number");
  }
  done_ = 0;
  total_ = file->size() * options_.rounds;
  auto sent = in_parts ? send_parts(*file, stop) : send_buffer(*file, stop);
  sent.in_parts = in_parts;
  return sent;
}

FileSender::Sent FileSender::repeat(const FileSource& file, const std::function<Sent()>& round,
                                    const std::stop_token& stop) {
  add_progress(0);
  for (std::uint32_t n = 0; n < options_.rounds; ++n) {
    if (n > 0 && !wait_until(Pacer::Clock::now() + options_.round_pause, stop)) {
      return {.ending = Ending::kStopped};
    }
    ++round_;
    auto sent = round();
    if (sent.ending != Ending::kDone) return sent;
    spdlog::info("{}: {} bytes published", file.name(), file.size());
    if (n + 1 == options_.rounds) return sent;
  }
  return {};
}

FileSender::Sent FileSender::send_buffer(const FileSource& file, const std::stop_token& stop) {
  const auto bytes = file.read(0, static_cast<std::size_t>(file.size()));
  if (!bytes) return file_failed(bytes.error().message);
  // Read again: half of it may have been written anew while it was read.
  const auto again = file.read(0, static_cast<std::size_t>(file.size()));
  if (!again || *again != *bytes || !file.has_its_size()) {
    return file_failed(one_line(file.name()) + " was written to while it was being read");
  }
  const std::string payload = encode_buffer(*bytes);
  const std::string sha256 = options_.has_keys ? sha256_of(*bytes) : "";
  return repeat(
      file,
      [&]() -> Sent {
        const std::string key = options_.has_keys ? round_key(file, sha256, 0) + ":0" : "";
        const std::span<const std::string> keys(&key, options_.has_keys ? 1 : 0);
        const auto ending = publish(Messages({&payload, 1}, keys), payload.size(), stop, {});
        if (ending == Ending::kDone) add_progress(file.size());
        if (ending == Ending::kTooLarge) {
          spdlog::error("{}: its message of {} bytes is larger than the receiver takes: --form parts",
                        file.name(), payload.size());
        }
        return {.ending = ending, .end_key = end_key(key)};
      },
      stop);
}

FileSender::Sent FileSender::send_parts(const FileSource& file, const std::stop_token& stop) {
  const auto sha256 = file.sha256(stop);
  if (!sha256) return file_failed(sha256.error().message);
  if (stop.stop_requested()) return {.ending = Ending::kStopped};
  return repeat(
      file, [&] { return send_round(file, *sha256, stop); }, stop);
}

FileSender::Sent FileSender::send_round(const FileSource& file, const std::string& sha256,
                                        const std::stop_token& stop) {
  PartWindows parts(file, options_.part_bytes, window_bytes_max(options_.rate));
  const std::string key = round_key(file, sha256, options_.part_bytes);
  std::vector<std::string> keys;
  PartWindow window;
  PartWindow following;
  window.payloads.push_back(
      encode_file(file.name(), file.size(), sha256, count_parts(file.size(), options_.part_bytes)));
  window.encoded_bytes = window.payloads.front().size();
  if (options_.has_keys) keys.push_back(key + ":file");
  while (!window.payloads.empty()) {
    std::optional<std::optional<Error>> read;
    const auto ending = publish(Messages(window.payloads, keys), window.encoded_bytes, stop,
                                [&] { read = parts.next(following); });
    if (ending == Ending::kTooLarge) {
      spdlog::error(
          "{}: a part of {} bytes makes a larger message than the receiver takes: lower --part-bytes",
          file.name(), options_.part_bytes);
    }
    if (ending != Ending::kDone) return {.ending = ending};
    add_progress(window.file_bytes);
    if (!read) read = parts.next(following);
    if (*read) return file_failed((*read)->message);
    std::swap(window, following);
    keys.clear();
    for (std::size_t i = 0; options_.has_keys && i < window.payloads.size(); ++i) {
      keys.push_back(key + ':' + std::to_string(window.first + i));
    }
  }
  if (parts.digest() != sha256) {
    return file_failed(one_line(file.name()) +
                       " was written to while it was being published: what was sent doesn't fit its sha256");
  }
  if (!file.has_its_size()) {
    return file_failed(one_line(file.name()) + " changed its size while it was being published: it had " +
                       std::to_string(file.size()) + " bytes");
  }
  return {.end_key = end_key(key)};
}

// Two files of one content have different names, and other parts have other bytes under the same numbers.
std::string FileSender::round_key(const FileSource& file, const std::string& sha256,
                                  std::size_t part_bytes) const {
  if (!options_.has_keys) return {};
  return sha256_of(sha256 + ' ' + std::to_string(part_bytes) + ' ' + options_.run + ' ' + file.name()) + ':' +
         std::to_string(round_);
}

FileSender::Ending FileSender::publish(const Messages& messages, std::uint64_t bytes,
                                       const std::stop_token& stop, const WhileWaiting& while_waiting) {
  if (!wait_until(pacer_.take(bytes, Pacer::Clock::now()), stop)) return Ending::kStopped;
  return publisher_.publish(channel_, messages, stop, while_waiting).ending;
}

void FileSender::add_progress(std::uint64_t bytes) {
  done_ += bytes;
  if (on_progress_) on_progress_(done_, total_);
}

}  // namespace weir
