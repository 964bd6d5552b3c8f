// The library for browsers, whose files the program holds: GET /clients/…
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "broker/http/head.h"
#include "broker/http/reply.h"

namespace weir {

struct ClientFile {
  std::string_view name;
  std::string_view content;
};

// The files of web/dist of the build, in the order of broker/api/CMakeLists.txt, and the version of the program. They
// live for ever.
std::span<const ClientFile> client_files();
extern const std::string_view kClientVersion;

// Anybody may load the files from anywhere: they hold no secret, and a page of another origin needs them before it has a
// token. So their replies have CORS headers of their own, and nothing of a request but its path, its method and its
// If-None-Match is looked at.
//
//   (nothing)                  JSON: the version, the hash, and of each file what an integrity attribute needs
//   <file>                     the file, asked for anew each time; 304 if it is the same
//   <version>-<hash>/<file>    the file, for ever; 404 for any other version or hash
//
// Threads:   immutable; any thread.
// Ownership: the contents of `files` outlive it.
class ClientLibrary {
 public:
  ClientLibrary(std::span<const ClientFile> files, std::string_view version);

  // The first 12 hex digits of the SHA-256 of all the files, one behind the other.
  const std::string& hash() const { return hash_; }
  // Answers a request of /clients/ and `path`.
  Reply answer(const Head& head, std::string_view path) const;
  // What answers instead where the library is off.
  static Reply off();

 private:
  Reply directory() const;
  Reply file(const Head& head, std::string_view name, std::string_view cache_control) const;

  const std::span<const ClientFile> files_;
  const std::string version_;
  std::string hash_;
  std::string directory_;  // The JSON.
};

}  // namespace weir
