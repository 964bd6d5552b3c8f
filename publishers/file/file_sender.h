// Publishes one file in one of its forms, at a limited rate.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
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

// Memory: one part, or one file of at most kBufferFormBytesMax.
class FileSender {
 public:
  struct Options {
    FileForm form = FileForm::kAuto;
    std::size_t part_bytes = 48 << 10;
    std::uint64_t rate = 4 << 20;  // Encoded bytes per second; 0: no limit.
    std::uint32_t rounds = 1;
    std::chrono::seconds round_pause{0};
  };
  struct Sent {
    Publisher::Ending ending = Publisher::Ending::kDone;
    bool in_parts = false;
  };

  FileSender(Publisher& publisher, std::string channel, const Options& options);

  // Publishes the file `rounds` times. Logs a failure to read the file and ends with kGaveUp.
  Sent send(const std::string& path, const std::stop_token& stop);

 private:
  using Ending = Publisher::Ending;

  Ending send_buffer(const FileSource& file, const std::stop_token& stop);
  // Takes the digest again on the way: if the file was written to meanwhile, its parts fit no digest.
  Ending send_parts(const FileSource& file, const std::string& sha256, const std::stop_token& stop);
  Ending publish_paced(const std::string& payload, const std::stop_token& stop);
  Ending send_rounds(const FileSource& file, bool in_parts, const std::stop_token& stop);

  Publisher& publisher_;
  const std::string channel_;
  const Options options_;
  Pacer pacer_;
};

}  // namespace weir
