// Publishes one file in one of its forms, at a limited rate.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "publishers/delivery/pacer.h"
#include "publishers/delivery/publisher.h"
#include "publishers/file/file_source.h"

namespace weir {

enum class FileForm {
  kAuto,    // Buffer up to kBufferFormBytesMax, else parts.
  kBuffer,  // One message.
  kParts,   // A message `file`, then one for each part.
};

// Threads: one. Any other may request a stop.
// Memory:  two windows of parts of at most 256 KiB each (or of one part, if it is larger), or one file of at
//          most kBufferFormBytesMax.
class FileSender {
 public:
  struct Options {
    FileForm form = FileForm::kAuto;
    std::size_t part_bytes = 48 << 10;
    std::uint64_t rate = 4 << 20;  // Encoded bytes per second; 0: no limit.
    std::uint32_t rounds = 1;
    std::chrono::seconds round_pause{0};
    // Give each message an idempotency key of the file's name and digest, the round, and the part's number.
    bool has_keys = false;
    // Goes into the keys as well: sending the same file again is meant, or a restart goes on under the same keys.
    std::string run = {};
  };
  struct Sent {
    Publisher::Ending ending = Publisher::Ending::kDone;
    bool in_parts = false;
    // The file can't be read, doesn't fit the form, or changed while it was sent: one line. Then the ending
    // is kGaveUp, and another attempt may succeed.
    std::string file_error = {};
    std::string end_key = {};  // The idempotency key for the end behind it; empty for none.
  };
  // Told the bytes of the file that are published, and how many will be in all rounds.
  using OnProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

  FileSender(Publisher& publisher, std::string channel, const Options& options, OnProgress on_progress = {});

  // Publishes the file `rounds` times. Goes on across losses of the connection with the first message that
  // was not confirmed. Logs what is wrong with the delivery; the caller says what is wrong with the file.
  Sent send(const std::string& path, const std::stop_token& stop);

 private:
  using Ending = Publisher::Ending;

  Sent send_buffer(const FileSource& file, const std::stop_token& stop);
  Sent send_parts(const FileSource& file, const std::stop_token& stop);
  // The start of the keys of the messages of a round; empty without keys.
  std::string round_key(const FileSource& file, const std::string& sha256, std::size_t part_bytes) const;
  // Takes the digest again on the way: if the file was written to meanwhile, its parts don't fit `sha256`.
  Sent send_round(const FileSource& file, const std::string& sha256, const std::stop_token& stop);
  // Calls `round` for each round.
  Sent repeat(const FileSource& file, const std::function<Sent()>& round, const std::stop_token& stop);
  // Waits for the payloads' turn and publishes them.
  Ending publish(const Messages& messages, std::uint64_t bytes, const std::stop_token& stop,
                 const WhileWaiting& while_waiting);
  void add_progress(std::uint64_t bytes);

  Publisher& publisher_;
  const std::string channel_;
  const Options options_;
  const OnProgress on_progress_;
  Pacer pacer_;
  std::uint64_t round_ = 0;  // Counts those of all files.
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace weir
