#include "broker/http/head.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

using std::string_literals::operator""s;

std::string get(const std::string& headers = "", const std::string& target = "/channels/a") {
  return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

// The status with which `text` is refused; 0 if it is good.
int status_of(const std::string& text) {
  Head head;
  const auto refusal = parse_head(text, head);
  return refusal ? refusal->status : 0;
}

Head parsed(const std::string& text) {
  Head head;
  const auto refusal = parse_head(text, head);
  EXPECT_FALSE(refusal) << refusal->detail;
  return head;
}

TEST(Head, IsTakenApart) {
  const Head head = parsed(
      "POST /channels/a?replay=1&x=%20 HTTP/1.1\r\nHost: example:80\r\nX-One:  a b \t\r\nContent-Length: "
      "12\r\n\r\n");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/channels/a");
  EXPECT_EQ(head.query, "replay=1&x=%20");
  EXPECT_EQ(*head.find("host"), "example:80");
  EXPECT_EQ(*head.find("x-one"), "a b");
  EXPECT_EQ(head.content_length, 12U);
  EXPECT_TRUE(head.wants_keep_alive);
  EXPECT_EQ(head.find("absent"), nullptr);
}

TEST(Head, JoinsHeadersThatComeTwice) {
  EXPECT_EQ(parsed(get("Accept: a\r\nACCEPT: b\r\n")).joined("accept"), "a, b");
  EXPECT_EQ(parsed(get()).joined("accept"), std::nullopt);
}

TEST(Head, KeepsBytesOfOtherEncodings) {
  EXPECT_EQ(*parsed(get("Last-Event-ID: \xc3\xa9\r\n")).find("last-event-id"), "\xc3\xa9");
}

TEST(Head, RefusesBareCrAndLfAndNul) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of(get("X: a\nY: b\r\n")), 400);
  EXPECT_EQ(status_of(get("X: a\rY: b\r\n")), 400);
  EXPECT_EQ(status_of(get("X: a\0b\r\n"s)), 400);
  EXPECT_EQ(status_of("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

TEST(Head, RefusesFoldedLinesAndBadNames) {
  EXPECT_EQ(status_of(get("X: a\r\n b\r\n")), 400);
  EXPECT_EQ(status_of(get(" X: a\r\n")), 400);
  EXPECT_EQ(status_of(get("X : a\r\n")), 400);
  EXPECT_EQ(status_of(get(": a\r\n")), 400);
  EXPECT_EQ(status_of(get("nonsense\r\n")), 400);
  EXPECT_EQ(status_of(get("X: a\x01\r\n")), 400);
}

TEST(Head, RefusesAnEncodedCrLfOrNulInTheTarget) {
  for (const char* escape : {"%0d", "%0D", "%0a", "%0A", "%00"}) {
    EXPECT_EQ(status_of(get("", "/channels/a"s + escape)), 400) << escape;
    EXPECT_EQ(status_of(get("", "/events?channel="s + escape + "x")), 400) << escape;
  }
  EXPECT_EQ(status_of(get("", "/channels/a%0")), 0) << "A broken escape is for the routes.";
}

TEST(Head, RefusesTargetsThatAreNoPath) {
  EXPECT_EQ(status_of(get("", "nonsense")), 400);
  EXPECT_EQ(status_of(get("", "*")), 400);
  EXPECT_EQ(status_of(get("", "/a#b")), 400);
  EXPECT_EQ(status_of(get("", "/\xc3\xa9")), 400);
  EXPECT_EQ(status_of("GET  HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of(get("", "/" + std::string(kPathBytesMax, 'a'))), 414);
  EXPECT_EQ(status_of(get("", "/?" + std::string(10'000, 'a'))), 0);
}

TEST(Head, TakesTheAuthorityOfAnAbsoluteTargetForTheHost) {
  const Head head = parsed(get("", "http://other:8080/channels/a?x=1"));
  EXPECT_EQ(head.path, "/channels/a");
  EXPECT_EQ(head.query, "x=1");
  EXPECT_EQ(*head.find("host"), "other:8080");
  EXPECT_EQ(parsed(get("", "http://other?x=1")).path, "/");
  EXPECT_EQ(status_of(get("", "ftp://other/")), 400);
  EXPECT_EQ(status_of(get("", "http:///")), 400);
  EXPECT_EQ(status_of(get("", "http://user@other/")), 400);
}

TEST(Head, RefusesTwoLengthsAndLengthsThatAreNoNumbers) {
  EXPECT_EQ(status_of(get("Content-Length: 1\r\nContent-Length: 2\r\n")), 400);
  EXPECT_EQ(status_of(get("Content-Length: 1\r\nContent-Length: 1\r\n")), 400);
  for (const char* length : {"", "1, 1", "+1", "-1", "0x1", "1 1", "a", "99999999999999999999"}) {
    EXPECT_EQ(status_of(get("Content-Length: "s + length + "\r\n")), 400) << length;
  }
}

TEST(Head, RefusesALengthBesideTransferEncoding) {
  EXPECT_EQ(status_of(get("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(status_of(get("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n")), 400);
}

TEST(Head, KnowsNoTransferEncodingButChunked) {
  EXPECT_TRUE(parsed(get("Transfer-Encoding: Chunked\r\n")).is_chunked);
  EXPECT_EQ(status_of(get("Transfer-Encoding: gzip, chunked\r\n")), 501);
  EXPECT_EQ(status_of(get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), 501);
  EXPECT_EQ(status_of(get("Transfer-Encoding: identity\r\n")), 501);
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(Head, RefusesContentEncoding) {
  EXPECT_EQ(status_of(get("Content-Encoding: gzip\r\n")), 415);
  EXPECT_EQ(status_of(get("Content-Encoding: identity\r\n")), 0);
}

TEST(Head, TakesAHundredHeadersAndNoMore) {
  std::string headers;
  for (int i = 0; i < 99; ++i) headers += "X" + std::to_string(i) + ": y\r\n";
  EXPECT_EQ(status_of(get(headers)), 0);
  EXPECT_EQ(status_of(get(headers + "Y: z\r\n")), 431);
}

TEST(Head, WantsExactlyOneHostInHttp11) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(status_of(get("Host: b\r\n")), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), 0);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: " + std::string(2'000, 'a') + "\r\n\r\n"), 431);
}

TEST(Head, SpeaksHttp11And10Only) {
  EXPECT_TRUE(parsed("GET / HTTP/1.0\r\n\r\n").is_http_1_0);
  EXPECT_EQ(status_of("PRI * HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(status_of("GET / http/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /\r\nHost: a\r\n\r\n"), 400);
}

TEST(Head, RefusesMethodsOfOtherProtocols) {
  for (const char* method : {"CONNECT", "TRACE", "PROPFIND", "get"}) {
    EXPECT_EQ(status_of(method + " / HTTP/1.1\r\nHost: a\r\n\r\n"s), 501) << method;
  }
  EXPECT_EQ(status_of("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"), 0) << "The routes say what is allowed.";
  EXPECT_EQ(status_of("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
}

TEST(Head, KnowsWhetherTheConnectionStays) {
  EXPECT_FALSE(parsed(get("Connection: close\r\n")).wants_keep_alive);
  EXPECT_FALSE(parsed(get("Connection: Upgrade, Close\r\n")).wants_keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.0\r\n\r\n").wants_keep_alive);
  EXPECT_TRUE(parsed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").wants_keep_alive);
  EXPECT_FALSE(parsed("GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n").wants_keep_alive);
}

TEST(Head, KnowsOneExpectation) {
  EXPECT_TRUE(parsed(get("Expect: 100-Continue\r\n")).expects_continue);
  EXPECT_EQ(status_of(get("Expect: the-unexpected\r\n")), 417);
  EXPECT_FALSE(parsed("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
}

TEST(HeadEnd, IsFoundHoweverTheBytesArrive) {
  const std::string text = get("X: y\r\n");
  std::size_t from = 0;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const HeadEnd end = find_head_end(std::string_view(text).substr(0, size), from);
    ASSERT_EQ(end.state, HeadEnd::State::kIncomplete) << size;
    from = end.size;
  }
  const HeadEnd end = find_head_end(text + "body", from);
  EXPECT_EQ(end.state, HeadEnd::State::kComplete);
  EXPECT_EQ(end.size, text.size());
}

TEST(Head, OfARefusedRequestHasItsOriginAndHost) {
  const auto found = [](const std::string& text) {
    const Head head = head_of_refused(text);
    std::string all;
    for (const Header& header : head.headers) all += header.name + "=" + header.value + ";";
    return all;
  };
  EXPECT_EQ(found("GET /a b HTTP/1.1\r\nHost: a\r\nX: y\r\nORIGIN:  https://b \r\n\r\n"),
            "host=a;origin=https://b;");
  EXPECT_EQ(found("x\nOrigin: https://b\nOrigin: https://c\n"), "origin=https://b;") << "The first counts.";
  EXPECT_EQ(found("GET / HTTP/1.1\r\nOrigin: https://b"), "") << "It may go on.";
  EXPECT_EQ(found("Origin: https://b\r\n"), "") << "That is the request line.";
  EXPECT_EQ(found("x\r\nOrigin: a\rb\r\nOriginal: c\r\nOrigin\r\n"), "");
  EXPECT_EQ(found(""), "");
}

TEST(HeadEnd, RefusesAtOnceWhatCanNotBecomeAHead) {
  EXPECT_EQ(find_head_end("GET / HTTP/1.1\n", 0).state, HeadEnd::State::kRefused);
  EXPECT_EQ(find_head_end("\x16\x03\x01", 0).state, HeadEnd::State::kRefused);
  EXPECT_EQ(find_head_end("\n", 0).state, HeadEnd::State::kRefused);
}

// Any prefix, and any byte changed to any other: refused or not, but never read past its end (ASan watches).
TEST(Head, SurvivesEveryByteInEveryPlace) {
  const std::string text =
      "POST /a%41?b HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
  Head head;
  int accepted = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    (void)parse_head(text.substr(0, i), head);
    (void)find_head_end(text.substr(i), 0);
    for (int byte = 0; byte < 256 && i < text.size(); ++byte) {
      std::string changed = text;
      changed[i] = static_cast<char>(byte);
      accepted += parse_head(changed, head) ? 0 : 1;
      (void)head_of_refused(changed);
    }
  }
  EXPECT_GT(accepted, static_cast<int>(text.size())) << "The text itself is good.";
}

}  // namespace
}  // namespace weir
