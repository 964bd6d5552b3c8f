#include "broker/api/client_library.h"

#include <algorithm>
#include <utility>

#include "broker/api/digest.h"
#include "proto/text.h"

namespace weir {
namespace {

constexpr std::size_t kHashDigits = 12;
constexpr std::string_view kForEver = "public, max-age=31536000, immutable";
// A cache may keep it, and has to ask whether it is the same.
constexpr std::string_view kAskAgain = "no-cache";
// Another gateway may have what this one has not, during a rolling update.
constexpr std::string_view kNotKept = "no-store";

Reply with_open_headers(Reply reply, std::string_view cache_control) {
  return with_headers(std::move(reply), {{"Access-Control-Allow-Origin", "*"},
                                         {"Cross-Origin-Resource-Policy", "cross-origin"},
                                         {"X-Content-Type-Options", "nosniff"},
                                         {"Cache-Control", std::string(cache_control)}});
}

Reply not_found(std::string_view detail) { return with_open_headers(error_reply(404, detail), kNotKept); }

std::string etag_of(std::string_view content) {
  constexpr std::size_t kDigits = 32;
  return "\"" + sha256_hex(content).substr(0, kDigits) + "\"";
}

// RFC 9110, 13.1.2: the comparison is weak, since a proxy that compresses makes the tag weak.
bool has_tag(const Head& head, std::string_view etag) {
  const auto tags = head.joined("if-none-match");
  if (!tags) return false;
  std::string_view rest = *tags;
  while (!rest.empty()) {
    std::string_view tag = trim(take_until(rest, ','));
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag || tag == "*") return true;
  }
  return false;
}

}  // namespace

ClientLibrary::ClientLibrary(std::span<const ClientFile> files, std::string_view version)
    : files_(files), version_(version) {
  std::string all;
  JsonObject integrities;
  for (const ClientFile& file : files_) {
    all += file.content;
    JsonObject integrity;
    integrity.add_text("integrity", sha384_source(file.content));
    integrities.add_json(file.name, integrity.text());
  }
  hash_ = sha256_hex(all).substr(0, kHashDigits);
  JsonObject json;
  json.add_text("version", version_).add_text("hash", hash_).add_json("files", integrities.text());
  directory_ = json.text() + "\n";
}

Reply ClientLibrary::off() { return not_found("the client library is off: see --clients"); }

Reply ClientLibrary::answer(const Head& head, std::string_view path) const {
  constexpr std::string_view kMethods = "GET, HEAD, OPTIONS";
  if (head.method != "GET" && head.method != "HEAD") {
    Reply reply;
    if (head.method == "OPTIONS") {
      reply.status = 204;
    } else {
      reply = error_reply(405, "this path knows " + std::string(kMethods));
    }
    reply.headers.push_back({"Allow", std::string(kMethods)});
    return with_open_headers(std::move(reply), kNotKept);
  }
  if (path.empty()) return directory();
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return file(head, path, kAskAgain);
  if (path.substr(0, slash) != version_ + "-" + hash_) {
    return not_found("this gateway has the client library " + version_ + "-" + hash_ + " alone");
  }
  return file(head, path.substr(slash + 1), kForEver);
}

Reply ClientLibrary::directory() const {
  Reply reply;
  reply.content_type = "application/json";
  reply.body = directory_;
  return with_open_headers(std::move(reply), kAskAgain);
}

Reply ClientLibrary::file(const Head& head, std::string_view name, std::string_view cache_control) const {
  const auto found =
      std::find_if(files_.begin(), files_.end(), [&](const ClientFile& file) { return file.name == name; });
  if (found == files_.end()) return not_found("the client library has no such file");
  const std::string etag = etag_of(found->content);
  Reply reply;
  reply.headers.push_back({"ETag", etag});
  if (has_tag(head, etag)) {
    reply.status = 304;
  } else {
    // Types are for tools, and no browser runs them.
    reply.content_type =
        name.ends_with(".js") ? "text/javascript; charset=utf-8" : "text/plain; charset=utf-8";
    reply.body = found->content;
  }
  return with_open_headers(std::move(reply), cache_control);
}

}  // namespace weir
