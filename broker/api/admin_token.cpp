#include "broker/api/admin_token.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "broker/api/credential.h"
#include "broker/base/logging.h"
#include "process/readable.h"
#include "process/small_file.h"

namespace weir {
namespace {

constexpr std::size_t kTokenBytesMin = 16;
constexpr std::size_t kTokenBytesMax = 1'024;

// Takes as long for a token that is nearly right as for any other of its length.
bool is_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Result<std::string> read_admin_token(const std::string& path) {
  auto token = read_small_file(path, kTokenBytesMax + 2);
  if (!token) return token.error();
  if (token->ends_with('\n')) token->pop_back();
  if (token->ends_with('\r')) token->pop_back();
  const bool is_printable =
      std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_printable || token->size() < kTokenBytesMin || token->size() > kTokenBytesMax) {
    return Error{"\"" + one_line(path) + "\": must hold 16 to 1024 printable ASCII characters, no spaces"};
  }
  return token;
}

AdminToken::AdminToken(std::string path, bool is_loopback)
    : path_(std::move(path)), is_loopback_(is_loopback) {}

std::optional<Reply> AdminToken::refuse(const Head& head) const {
  if (path_.empty()) {
    if (is_loopback_) return std::nullopt;
    return error_reply(403,
                       "this path names channels or changes something: it takes --admin-token-file, or an "
                       "admin-listen on loopback");
  }
  const auto expected = read_admin_token(path_);
  if (!expected) {
    log_warning("admin-token-file: " + expected.error().message);
    return error_reply(503, "the token of the admin side can't be read; the log says why");
  }
  const auto sent = find_bearer_token(head);
  if (sent && !*sent) {
    return challenge(401, "this path takes the admin side's token: send it as Authorization: Bearer TOKEN",
                     Refused::kTokenMissing);
  }
  if (sent && is_equal(**sent, *expected)) return std::nullopt;
  const std::string why = sent ? "this is not the admin side's token" : sent.error().message;
  return challenge(401, why, Refused::kTokenBad,
                   ", error=\"invalid_token\", error_description=\"" + why + "\"");
}

}  // namespace weir
