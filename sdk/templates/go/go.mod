module guest

go 1.25
