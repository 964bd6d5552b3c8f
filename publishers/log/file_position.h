// How far a file was read, in a form that outlives the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// A fingerprint covers at most this many bytes from the start of a file.
inline constexpr std::size_t kFingerprintBytes = 1'024;

struct FilePosition {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;
  // Tells the file from another one that was given its inode: "512:ab12…", the SHA-256 of the first 512 bytes.
  // Empty if the file was.
  std::string fingerprint;
  // A random number for what the file holds, from when it was begun until it is truncated; 0: none yet. Two files that
  // begin alike, or one that was written anew, have the same fingerprint, inode and offsets, but not this.
  std::uint64_t life = 0;
  bool operator==(const FilePosition&) const = default;
  // True if it is a position in that file.
  bool is_in(std::uint64_t a_device, std::uint64_t an_inode) const {
    return device == a_device && inode == an_inode;
  }
};

// A new FilePosition::life. Any thread.
std::uint64_t new_life();

// The fingerprint of a file that begins with `head`; empty if that is empty.
std::string fingerprint_of(std::string_view head);
// How many bytes the fingerprint covers; 0 if it is broken.
std::size_t fingerprint_bytes(const std::string& fingerprint);
// True if a file that begins with `head` has it. Never for an empty or broken one.
bool has_fingerprint(std::string_view head, const std::string& fingerprint);

}  // namespace weir
