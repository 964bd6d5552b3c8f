#include "publishers/file/file_sender.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "process/stop.h"
#include "publishers/file/file_messages.h"
#include "publishers/program/sha256.h"

namespace weir {
namespace {

Publisher::Ending failed(const std::string& why) {
  spdlog::error("{}", why);
  return Publisher::Ending::kGaveUp;
}

}  // namespace

FileSender::FileSender(Publisher& publisher, std::string channel, const Options& options)
    : publisher_(publisher), channel_(std::move(channel)), options_(options), pacer_(options.rate) {}

FileSender::Sent FileSender::send(const std::string& path, const std::stop_token& stop) {
  const auto file = FileSource::open(path);
  if (!file) return {failed(file.error().message), false};
  const bool fits = file->size() <= kBufferFormBytesMax;
  const bool in_parts = options_.form == FileForm::kParts || (options_.form == FileForm::kAuto && !fits);
  if (!in_parts && !fits) {
    return {failed(path + " has " + std::to_string(file->size()) + " bytes: --form buffer takes at most " +
                   std::to_string(kBufferFormBytesMax) + ", --form parts any number"),
            false};
  }
  return {send_rounds(*file, in_parts, stop), in_parts};
}

FileSender::Ending FileSender::send_rounds(const FileSource& file, bool in_parts,
                                           const std::stop_token& stop) {
  std::string sha256;
  if (in_parts) {
    const auto digest = file.sha256(stop);
    if (!digest) return failed(digest.error().message);
    if (stop.stop_requested()) return Ending::kStopped;
    sha256 = *digest;
  }
  for (std::uint32_t round = 0; round < options_.rounds; ++round) {
    if (round > 0 && !wait_until(Pacer::Clock::now() + options_.round_pause, stop)) return Ending::kStopped;
    const auto ending = in_parts ? send_parts(file, sha256, stop) : send_buffer(file, stop);
    if (ending != Ending::kDone) return ending;
    spdlog::info("{}: {} bytes published", file.name(), file.size());
  }
  return Ending::kDone;
}

FileSender::Ending FileSender::send_buffer(const FileSource& file, const std::stop_token& stop) {
  const auto bytes = file.read(0, static_cast<std::size_t>(file.size()));
  if (!bytes) return failed(bytes.error().message);
  if (!file.is_unchanged()) return failed(file.name() + " was written to while it was being read");
  return publish_paced(encode_buffer(*bytes), stop);
}

FileSender::Ending FileSender::send_parts(const FileSource& file, const std::string& sha256,
                                          const std::stop_token& stop) {
  const auto parts = count_parts(file.size(), options_.part_bytes);
  auto ending = publish_paced(encode_file(file.name(), file.size(), sha256, parts), stop);
  Sha256 sum;
  for (std::uint64_t n = 0; n < parts && ending == Ending::kDone; ++n) {
    const auto bytes = file.read(n * options_.part_bytes, options_.part_bytes);
    if (!bytes) return failed(bytes.error().message);
    sum.add(*bytes);
    ending = publish_paced(encode_part(n, n * options_.part_bytes, *bytes), stop);
  }
  if (ending != Ending::kDone) return ending;
  if (sum.finish() != sha256 || !file.is_unchanged()) {
    return failed(file.name() +
                  " was written to while it was being published: what was sent doesn't fit its sha256");
  }
  return Ending::kDone;
}

FileSender::Ending FileSender::publish_paced(const std::string& payload, const std::stop_token& stop) {
  if (!wait_until(pacer_.take(payload.size(), Pacer::Clock::now()), stop)) return Ending::kStopped;
  return publisher_.publish(channel_, payload, stop);
}

}  // namespace weir
