// Package wording has the sentences that the platform says of itself, in each language: to people in messages
// and on pages, to programs and logs in English.
//
// Who has something to say gives its code and its values; only here are they put into words. A sentence has its
// values in braces, and after a colon how one is written:
//
//	{rows}            a number as the language writes it, a text as it is
//	{accuracy:share}  0.953 as 95.3%
//	{value:3}         with three digits after the point
//	{value:p}         a chance, with the digits that count
//	{ago:time}        seconds as 1m 20s
//	{method:method}   the words of the key method.<value>, or the value itself
//
// A sentence about a number n may have two forms, <code>.one and <code>.other.
package wording
