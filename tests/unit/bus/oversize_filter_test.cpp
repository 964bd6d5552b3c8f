#include "broker/bus/oversize_filter.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

std::string message(const std::string& channel, const std::string& payload) {
  return "*3\r\n" + bulk("message") + bulk(channel) + bulk(payload);
}

// What a parser sees of `stream` when it comes in pieces of `piece_bytes`, after a
// first one of `first_bytes`.
std::string filtered(const std::string& stream, std::size_t bulk_bytes_max, std::size_t first_bytes,
                     std::size_t piece_bytes) {
  OversizeFilter filter(bulk_bytes_max);
  std::string seen;
  std::size_t size = first_bytes;
  for (std::size_t at = 0; at < stream.size(); at += size, size = at == first_bytes ? piece_bytes : size) {
    const std::string piece = stream.substr(at, size);  // A copy, so that ASan finds views that outlive it.
    std::vector<std::string_view> passed;
    filter.filter(piece, passed);
    for (const std::string_view bytes : passed) seen += bytes;
  }
  return seen;
}

// The same in every way to cut it in two, and byte by byte.
void expect_filtered(const std::string& stream, std::size_t bulk_bytes_max, const std::string& expected) {
  for (std::size_t first = 1; first <= stream.size(); ++first) {
    EXPECT_EQ(filtered(stream, bulk_bytes_max, first, stream.size()), expected) << "cut at " << first;
  }
  EXPECT_EQ(filtered(stream, bulk_bytes_max, 1, 1), expected) << "byte by byte";
}

TEST(OversizeFilter, PassesWhatIsSmallEnoughUnchanged) {
  const std::string stream = "+PONG\r\n" + message("news", "1234567") +
                             ":42\r\n-ERR no\r\n$-1\r\n*0\r\n*-1\r\n" + message("news", "");
  expect_filtered(stream, 7, stream);
}

TEST(OversizeFilter, PutsANilInPlaceOfALargeBulkString) {
  const std::string before = message("news", "small");
  const std::string large = message("news", std::string(50, 'x'));
  const std::string after = message("news", "later");
  expect_filtered(before + large + after, 10,
                  before + "*3\r\n" + bulk("message") + bulk("news") + "$-1\r\n" + after);
}

TEST(OversizeFilter, TakesTheLimitItselfAsSmallEnough) {
  expect_filtered(bulk("12345") + bulk("123456"), 5, bulk("12345") + "$-1\r\n");
}

TEST(OversizeFilter, DiscardsSeveralInARow) {
  expect_filtered(bulk("123456") + bulk("1234567") + ":1\r\n", 5, "$-1\r\n$-1\r\n:1\r\n");
}

TEST(OversizeFilter, IsNotFooledByWhatLooksLikeAHeaderInsideOfAPayload) {
  const std::string passes = message("news", "\r\n$999\r\nx");
  const std::string discarded = message("news", std::string(30, 'x') + "\r\n$1\r\nx\r\n*3\r\n");
  expect_filtered(passes + discarded + ":1\r\n", 12,
                  passes + "*3\r\n" + bulk("message") + bulk("news") + "$-1\r\n:1\r\n");
}

TEST(OversizeFilter, LeavesWhatIsNotRespToTheParser) {
  for (const char* stream :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "$12x\r\nabc\r\n", "$\r\n", "$-7\r\n",
        "$99999999999999999999999999\r\nabc", "$5\nabcde\r\n", "$1234567890123456789012345678901234567890",
        "$18446744073709551615\r\nabc", "$\n", "*\n", "*-7\r\n", "*3x\r\n",
        "$0000000000000000000000000000000000000005\r\nabcdefghijk\r\n$9\r\n"}) {
    const std::string all = ":1\r\n" + std::string(stream);
    expect_filtered(all, 5, all);
  }
}

TEST(OversizeFilter, LetsNoArrayThroughThatIsLargerThanAnyAnswer) {
  const std::string largest = "*" + std::to_string(OversizeFilter::kElementsMax) + "\r\n";
  expect_filtered(largest + ":1\r\n", 5, largest + ":1\r\n");
  // What is no RESP in its place makes the parser give up, whatever follows.
  const std::string refused = "*" + std::to_string(OversizeFilter::kDiscardedElementsMax + 1) + "\r\n";
  expect_filtered(":1\r\n" + refused + bulk("123456"), 5, ":1\r\n?\r\n" + bulk("123456"));
  expect_filtered("*2147483647\r\n", 5, "?\r\n");
}

// `items` and as many nils as make the array too large by one.
std::string array_too_large(const std::string& items, std::size_t count) {
  std::string array = "*" + std::to_string(OversizeFilter::kElementsMax + 1) + "\r\n" + items;
  for (std::size_t i = count; i <= OversizeFilter::kElementsMax; ++i) array += "$-1\r\n";
  return array;
}

TEST(OversizeFilter, PutsANilInPlaceOfALargeArrayWithAllThatIsInIt) {
  const std::string items = bulk("small") + bulk("too large") + "+a line\r\n:7\r\n-ERR\r\n*-1\r\n*0\r\n" +
                            "*2\r\n" + bulk("x") + "*1\r\n:1\r\n" + bulk("*3\r\n");
  const std::string stream = "*2\r\n" + bulk("1-1") + array_too_large(items, 9) + message("news", "later");
  const std::string expected = "*2\r\n" + bulk("1-1") + "*-1\r\n" + message("news", "later");
  for (const std::size_t first : {std::size_t{1}, std::size_t{20}, std::size_t{40}, stream.size()}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1'000}, stream.size()}) {
      EXPECT_EQ(filtered(stream, 7, first, piece), expected) << first << ", " << piece;
    }
  }
}

TEST(OversizeFilter, WhatIsNotRespWithinALargeArrayEndsTheConnectionToo) {
  const std::string header = "*" + std::to_string(OversizeFilter::kElementsMax + 1) + "\r\n";
  for (const std::string stream : {"HTTP/1.1 400\r\n:1\r\n", "$12x\r\nabc\r\n", "$5\nabcde\r\n", "_\r\n",
                                   "$1234567890123456789012345678901234567890\r\n:1\r\n"}) {
    expect_filtered(header + ":1\r\n" + stream, 5, "*-1\r\n?\r\n" + stream);
  }
  expect_filtered(header + "*2147483647\r\n:1\r\n", 5, "*-1\r\n?\r\n:1\r\n");
}

TEST(OversizeFilter, EndsALineWhereTheParserDoes) {
  const std::string line = "+a\nb\rc\r\r\n";
  expect_filtered(line + bulk("123456"), 5, line + "$-1\r\n");
  // Of this the parser sees one line: nothing of it is a header.
  expect_filtered("+\n*2147483647\r\n" + bulk("123456"), 5, "+\n*2147483647\r\n$-1\r\n");
}

TEST(OversizeFilter, LetsNothingThroughThatOnlyNewerParsersKnow) {
  for (const std::string stream : {"%2147483647\r\n", ">3\r\n", "=99\r\ntxt:", "_\r\n"}) {
    expect_filtered(":1\r\n" + stream, 5, ":1\r\n?\r\n" + stream);
  }
}

TEST(OversizeFilter, CopiesNothingOfALargeStreamThatPasses) {
  const std::string stream = message("news", std::string(100'000, 'x'));
  OversizeFilter filter(1 << 20);
  std::vector<std::string_view> passed;
  filter.filter(stream, passed);
  ASSERT_EQ(passed.size(), 1u);
  EXPECT_EQ(passed[0].data(), stream.data());
  EXPECT_EQ(passed[0].size(), stream.size());
}

}  // namespace
}  // namespace weir
