#include "broker/http/head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "proto/text.h"

namespace weir {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// RFC 9110, 5.6.2.
bool is_token_char(char c) {
  const bool is_alphanumeric = (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
  return is_alphanumeric || (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

Refusal bad(std::string detail) { return {400, std::move(detail)}; }
Refusal too_much(std::string detail) { return {431, std::move(detail), Refused::kHeadBytes}; }

// Accepts printable ASCII (browsers encode the rest). An encoded CR, LF or NUL could split a header in a
// program behind us that decodes it, and no channel name holds one.
std::optional<Refusal> check_target(std::string_view target) {
  for (std::size_t i = 0; i < target.size(); ++i) {
    const char c = target[i];
    if (c <= ' ' || c > '~' || c == '#')
      return bad("the request target holds a character that must be encoded");
    if (c != '%') continue;
    const std::string_view escape = target.substr(i + 1, 2);
    if (escape == "00" || equals_ignoring_case(escape, "0a") || equals_ignoring_case(escape, "0d")) {
      return bad("the request target holds an encoded CR, LF or NUL");
    }
  }
  return std::nullopt;
}

// Accepts a name or an address, maybe with a port, for a Host header.
bool is_authority(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
           (c != '\0' && std::strchr("-._~:[]", c));
  });
}

// Turns "http://host:port/path" into "/path". The authority goes to `authority` and replaces
// the Host (RFC 9112, 3.2.2).
std::optional<Refusal> take_authority(std::string_view& target, std::string& authority) {
  const auto scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return bad("the request target must begin with /");
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) {
    return bad("the request target has another scheme than http");
  }
  target.remove_prefix(scheme_end + 3);
  const auto end = std::min(target.find_first_of("/?"), target.size());
  authority = target.substr(0, end);
  if (!is_authority(authority)) return bad("the request target has a bad authority");
  target.remove_prefix(end);
  return std::nullopt;
}

std::optional<Refusal> parse_target(std::string_view target, Head& head, std::string& authority) {
  if (auto refusal = check_target(target)) return refusal;
  if (target == "*") {
    if (head.method != "OPTIONS") return bad("only OPTIONS may ask for *");
    head.path = "*";
    return std::nullopt;
  }
  if (!target.empty() && target.front() != '/') {
    if (auto refusal = take_authority(target, authority)) return refusal;
  } else if (target.empty()) {
    return bad("the request target is missing");
  }
  head.path = take_until(target, '?');
  if (head.path.size() > kPathBytesMax) return Refusal{414, "the path is too long"};
  if (head.path.empty()) head.path = "/";
  head.query = target;
  return std::nullopt;
}

std::optional<Refusal> parse_request_line(std::string_view line, Head& head, std::string& authority) {
  const std::string_view method = take_until(line, ' ');
  const std::string_view target = take_until(line, ' ');
  if (!is_token(method)) return bad("the request line has no method");
  if (line.size() != 8 || line.substr(0, 5) != "HTTP/") return bad("the request line has no HTTP version");
  if (line != "HTTP/1.1" && line != "HTTP/1.0")
    return Refusal{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  head.is_http_1_0 = line == "HTTP/1.0";
  // Other methods belong to other protocols (CONNECT, TRACE, PROPFIND). PUT, PATCH and DELETE are answered
  // with the allowed methods.
  static constexpr std::array<std::string_view, 7> kMethods = {"GET", "HEAD",  "POST",  "OPTIONS",
                                                               "PUT", "PATCH", "DELETE"};
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
    return Refusal{501, "the method is not known here"};
  }
  head.method = method;
  return parse_target(target, head, authority);
}

std::optional<Refusal> parse_header(std::string_view line, Head& head) {
  if (line.front() == ' ' || line.front() == '\t') return bad("a header is folded over two lines");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return bad("a header has a bad name");
  const std::string_view value = trim(line.substr(colon + 1));
  for (const char c : value) {
    // 0x80 and above are opaque (RFC 9110, 5.5): a Last-Event-ID may be any UTF-8.
    if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f') {
      return bad("a header holds a control character");
    }
  }
  Header header{std::string(line.substr(0, colon)), std::string(value)};
  std::transform(header.name.begin(), header.name.end(), header.name.begin(), lower);
  head.headers.push_back(std::move(header));
  return std::nullopt;
}

// The only place that reads how the body is framed, so that there is no second opinion (RFC 9112, 6.3).
std::optional<Refusal> read_framing(Head& head) {
  const auto count = [&head](std::string_view name) {
    return std::count_if(head.headers.begin(), head.headers.end(),
                         [&](const Header& h) { return h.name == name; });
  };
  const std::string* length = head.find("content-length");
  const std::string* encoding = head.find("transfer-encoding");
  if (length != nullptr && encoding != nullptr)
    return bad("Content-Length and Transfer-Encoding exclude each other");
  if (count("content-length") > 1) return bad("Content-Length is given twice");
  if (length != nullptr) {
    const char* end = length->data() + length->size();
    const auto [parsed, error] = std::from_chars(length->data(), end, head.content_length);
    const bool is_number =
        !length->empty() && length->front() >= '0' && length->front() <= '9' && parsed == end;
    if (!is_number || error != std::errc()) return bad("Content-Length is not a number");
  }
  if (encoding != nullptr) {
    if (head.is_http_1_0) return bad("HTTP/1.0 has no Transfer-Encoding");
    if (count("transfer-encoding") > 1 || !equals_ignoring_case(*encoding, "chunked")) {
      return Refusal{501, "only the Transfer-Encoding chunked is known here"};
    }
    head.is_chunked = true;
  }
  const std::string* content_encoding = head.find("content-encoding");
  if (content_encoding != nullptr && !equals_ignoring_case(*content_encoding, "identity")) {
    return Refusal{415, "Content-Encoding is not supported: send the body as it is"};
  }
  return std::nullopt;
}

std::optional<Refusal> read_host(Head& head, const std::string& authority) {
  const auto is_host = [](const Header& h) { return h.name == "host"; };
  const auto hosts = std::count_if(head.headers.begin(), head.headers.end(), is_host);
  if (hosts > 1) return bad("Host is given twice");
  if (hosts == 0) {
    if (!head.is_http_1_0) return bad("Host is missing");
    if (!authority.empty()) head.headers.push_back({"host", authority});
    return std::nullopt;
  }
  std::string& host = std::find_if(head.headers.begin(), head.headers.end(), is_host)->value;
  if (!authority.empty()) host = authority;
  // An empty Host is legal for a target without an authority (RFC 9110, 7.2).
  if (host.size() > kHostBytesMax) return too_much("Host is too long");
  if (!host.empty() && !is_authority(host)) return bad("Host is neither a name nor an address");
  return std::nullopt;
}

std::optional<Refusal> read_connection(Head& head) {
  head.wants_keep_alive = !head.is_http_1_0;
  if (const auto connection = head.joined("connection")) {
    bool has_close = false;
    bool has_keep_alive = false;
    std::string_view rest = *connection;
    while (!rest.empty()) {
      const std::string_view option = trim(take_until(rest, ','));
      has_close |= equals_ignoring_case(option, "close");
      has_keep_alive |= equals_ignoring_case(option, "keep-alive");
    }
    head.wants_keep_alive = !has_close && (!head.is_http_1_0 || has_keep_alive);
  }
  const auto expectation = head.joined("expect");
  if (!expectation || head.is_http_1_0) return std::nullopt;  // HTTP/1.0 knows no 100 (RFC 9110, 10.1.1).
  if (!equals_ignoring_case(*expectation, "100-continue"))
    return Refusal{417, "only 100-continue can be expected"};
  head.expects_continue = true;
  return std::nullopt;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

const std::string* Head::find(std::string_view name) const {
  for (const Header& header : headers) {
    if (header.name == name) return &header.value;
  }
  return nullptr;
}

std::optional<std::string> Head::joined(std::string_view name) const {
  std::optional<std::string> all;
  for (const Header& header : headers) {
    if (header.name != name) continue;
    all = all ? *all + ", " + header.value : header.value;
  }
  return all;
}

HeadEnd find_head_end(std::string_view text, std::size_t from) {
  if (!text.empty() && !is_token_char(text.front())) return {HeadEnd::State::kRefused, 0};
  std::size_t at = from;
  while ((at = text.find('\n', at)) != std::string_view::npos) {
    if (at == 0 || text[at - 1] != '\r') return {HeadEnd::State::kRefused, 0};
    if (at >= 3 && text[at - 2] == '\n') return {HeadEnd::State::kComplete, at + 1};
    ++at;
  }
  return {HeadEnd::State::kIncomplete, text.size()};
}

std::optional<Refusal> parse_head(std::string_view text, Head& head) {
  head = Head();
  if (text.find('\0') != std::string_view::npos) return bad("the request head holds a NUL");
  if (text.size() < 4 || text.substr(text.size() - 4) != "\r\n\r\n")
    return bad("the request head has no end");
  text.remove_suffix(2);
  std::string authority;
  const std::string_view request_line = take_until(text, "\r\n");
  // Lines were cut at each CRLF, so a CR or LF that is left in one is bare.
  if (request_line.find_first_of("\r\n") != std::string_view::npos)
    return bad("a bare CR or LF in the request line");
  if (auto refusal = parse_request_line(request_line, head, authority)) return refusal;
  while (!text.empty()) {
    const std::string_view line = take_until(text, "\r\n");
    if (line.empty()) return bad("the request head has an empty line in it");
    if (head.headers.size() == kHeadersMax) return too_much("the request has more than 100 headers");
    if (auto refusal = parse_header(line, head)) return refusal;
  }
  if (auto refusal = read_host(head, authority)) return refusal;
  if (auto refusal = read_framing(head)) return refusal;
  return read_connection(head);
}

Head head_of_refused(std::string_view text) {
  Head head;
  take_until(text, '\n');  // The request line.
  // A last line without its end may go on.
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    for (const std::string_view name : {"origin", "host"}) {
      const bool is_it = line.size() > name.size() && line[name.size()] == ':' &&
                         equals_ignoring_case(line.substr(0, name.size()), name);
      const std::string_view value = is_it ? trim(line.substr(name.size() + 1), " \t\r") : std::string_view();
      const bool is_plain =
          std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c <= '~'; });
      if (is_it && is_plain && head.find(name) == nullptr)
        head.headers.push_back({std::string(name), std::string(value)});
    }
  }
  return head;
}

}  // namespace weir
